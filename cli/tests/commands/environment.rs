//! Environment variables, and a log that cannot be written.

use std::{
    fs,
    process::{Child, Stdio},
};

use crate::support::{Devnet, command, ran, wait_until};

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_variable_that_is_no_setting_is_named_with_the_nearest() {
    let devnet = Devnet::shared();
    let said = ran(devnet.command(&["status"]).env("HOLDFAST_NAMSPACE", "0x00").env("HOLDFAST_ZZZZZZ", "1")).ok();
    assert!(said.stderr.contains("HOLDFAST_NAMSPACE") && said.stderr.contains("did you mean HOLDFAST_NAMESPACE?"));
    assert!(said.stderr.contains("no setting is called HOLDFAST_ZZZZZZ"), "{}", said.stderr);
    let quiet = ran(devnet.command(&["status"]).env("HOLDFAST_MEMBER_LISTEN", "x").env("HOLDFAST_GATEWAY_X", "y")).ok();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn what_kubernetes_sets_is_passed_over_by_client_and_member() {
    let devnet = Devnet::shared();
    let service = [
        ("HOLDFAST_PORT", "tcp://10.0.0.7:7400"),
        ("HOLDFAST_SERVICE_HOST", "10.0.0.7"),
        ("HOLDFAST_PORT_7400_TCP_ADDR", "10.0.0.7"),
    ];
    let said = ran(devnet.command(&["status"]).envs(service)).ok();
    for (name, _) in service {
        assert!(said.stderr.contains(&format!("the variable {name} is one that Kubernetes sets")), "{}", said.stderr);
    }
    let config = devnet.dir().join("m0/member.toml");
    let mut check = command(&["--config", config.to_str().unwrap(), "member", "check"]);
    let said = ran(check.env("HOLDFAST_MEMBER_PORT", "tcp://10.0.0.7:7400").env("HOLDFAST_MEMBER_LISTN", "x")).ok();
    assert!(said.stderr.contains("HOLDFAST_MEMBER_PORT is one that Kubernetes sets"), "{}", said.stderr);
    assert!(said.stderr.contains("did you mean HOLDFAST_MEMBER_LISTEN?"), "{}", said.stderr);
}

#[test]
fn one_rule_names_the_variables_of_client_and_member() {
    let devnet = Devnet::shared();
    let nowhere = "0x1111111111111111111111111111111111111111";
    for separator in ["_", "__"] {
        let mut status = command(&["status"]);
        let url = format!("HOLDFAST_L1{separator}RPC_URL");
        let said = ran(status.env(url, "http://127.0.0.1:9").env(format!("HOLDFAST_L1{separator}REGISTRY"), nowhere));
        said.fails(3, &["L1 at 127.0.0.1:9"]);
        let config = devnet.dir().join("m1/member.toml");
        let mut check = command(&["--config", config.to_str().unwrap(), "--json", "member", "check"]);
        let variable = format!("HOLDFAST_MEMBER_POLICY{separator}MAX_RETENTION");
        let checked = ran(check.env(variable, "77d")).ok().json();
        assert_eq!(checked["config"]["policy"]["max_retention"], "77d");
    }
}

#[test]
fn a_log_filter_that_is_empty_or_misspelt_silences_nothing() {
    let devnet = Devnet::shared();
    let config = devnet.dir().join("m0/member.toml");
    let check = |filter: &str| {
        let mut check = command(&["--config", config.to_str().unwrap(), "member", "check"]);
        // A remark of the member's, at the level that members log.
        ran(check.env("HOLDFAST_LOG", filter).env("HOLDFAST_MEMBER_LISTN", "x")).ok().stderr
    };
    assert!(check("").contains("HOLDFAST_MEMBER_LISTN"));
    let said = check("inof");
    assert!(
        said.contains("\"inof\" is no level; did you mean \"info\"?") && said.contains("HOLDFAST_MEMBER_LISTN"),
        "{said}"
    );
    assert!(check("holdfast_committee=lots").contains("HOLDFAST_MEMBER_LISTN"));
    assert!(!check("error").contains("HOLDFAST_MEMBER_LISTN"));
}

#[test]
fn a_member_whose_log_cannot_be_written_stores_and_serves() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    // Of four, three must sign; without m3, m0 is needed.
    for name in ["m0", "m3"] {
        devnet.devnet(&["fault", name, "crash"]).ok();
    }
    let config = devnet.dir().join("m0/member.toml");
    let start = |stderr: Stdio| {
        let mut member = command(&["--config", config.to_str().unwrap(), "member", "run"]);
        member.env("HOLDFAST_LOG", "trace").stdout(Stdio::null()).stderr(stderr);
        Running(member.spawn().unwrap())
    };
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    // Nobody reads this pipe, and nobody holds its other end.
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    let (unread, held) = std::io::pipe().unwrap();
    for (number, stderr) in [full(), closed(), Stdio::from(held)].into_iter().enumerate() {
        let member = start(stderr);
        wait_until("m0 serves", || devnet.run(&["--json", "status"]).json()["members"][0]["state"] == "serving");
        for round in 0..3 {
            devnet.put(&format!("unheard-{number}-{round}"), format!("{number}{round}").as_bytes(), &[]);
        }
        drop(member);
    }
    drop(unread);
}
