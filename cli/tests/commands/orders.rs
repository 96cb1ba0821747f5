//! What the operator orders by the admin socket: drain, undrain, hold, scrub, log; the log in JSON; passwords from systemd.

use std::{
    fs::{self, File},
    os::unix::net::UnixDatagram,
    process::Stdio,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Devnet, Ran, command, noise, run, signal, wait_until};

fn config(devnet: &Devnet, name: &str) -> String {
    devnet.dir().join(name).join("member.toml").to_str().unwrap().to_owned()
}

fn member(devnet: &Devnet, name: &str, arguments: &[&str]) -> Ran {
    run(&[&["--json", "--config", &config(devnet, name), "member"], arguments].concat())
}

#[test]
fn a_member_is_drained_unless_the_committee_needs_it() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4", "-t", "3", "-k", "1"]);
    let certificate = devnet.put("before", &noise(10_000, 1), &[]);
    let drained = member(&devnet, "m0", &["drain", "--wait"]).ok().json();
    assert_eq!(
        (&drained["drained"], &drained["underWay"], &drained["others"]["threshold"]),
        (&true.into(), &0.into(), &3.into())
    );
    assert_eq!(drained["others"]["storing"], serde_json::json!([1, 2, 3]));
    let status = member(&devnet, "m0", &["status"]).ok().json();
    assert!(status["writesDisabled"].as_str().unwrap().contains("its operator drains it"), "{status}");
    assert_eq!(status["orders"]["drained"], true);
    // The others are enough, and it reads out.
    devnet.put("without one", &noise(10_000, 2), &[]);
    devnet.run(&["get", &certificate, "--from", "m0", "--force", "-o", "/dev/null"]).ok();

    // A second one would leave too few.
    let refused = member(&devnet, "m1", &["drain", "--wait"]);
    refused
        .fails(6, &["3 members must sign, and of the others 2 would", "slot 0 (", "its operator drains it", "--force"]);
    assert_eq!(member(&devnet, "m1", &["status"]).ok().json()["orders"]["drained"], false);
    devnet.put("still", &noise(10_000, 3), &[]);
    let forced = member(&devnet, "m1", &["drain", "--force", "--wait"]).ok().json();
    assert_eq!((&forced["drained"], &forced["others"]), (&true.into(), &Value::Null));
    let file = devnet.file("late", &noise(10_000, 4));
    devnet.run(&["put", &file]).fails(3, &["2 of 3"]);
    assert_eq!(devnet.get(&certificate), noise(10_000, 1));
    for name in ["m0", "m1"] {
        assert_eq!(member(&devnet, name, &["undrain"]).ok().json()["drained"], false);
    }
    wait_until("both sign again", || devnet.run(&["put", &file]).code == Some(0));

    // Where it cannot be known who the others are, nothing is done; one that does not run takes no orders.
    devnet.devnet(&["fault", "m2", "crash"]).ok();
    devnet.devnet(&["fault", "m3", "crash"]).ok();
    member(&devnet, "m1", &["drain"]).fails(6, &["of the others 1 would", "unreachable"]);
    member(&devnet, "m2", &["drain"]).fails(3, &["no member takes orders at", "data.sock"]);
}

#[test]
fn orders_are_given_to_a_running_member_and_shown_in_its_status() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "3"]);
    let status = || member(&devnet, "m0", &["status"]).ok().json();
    assert_eq!(status()["orders"]["log"], "info");
    let logged = member(&devnet, "m0", &["log", "info,holdfast_committee=debug"]).ok().json();
    assert_eq!(logged["log"], "holdfast_committee=debug,info");
    member(&devnet, "m0", &["log", "inof"]).fails(2, &["did you mean \"info\""]);
    assert_eq!(status()["orders"]["log"], "holdfast_committee=debug,info");

    member(&devnet, "m0", &["hold", "--until", "2020-01-01T00:00:00Z"]).fails(2, &["has come already"]);
    member(&devnet, "m0", &["hold", "--until", "2100-01-01T00:00:00Z"]).fails(2, &["at most 90 days"]);
    let until = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 86_400;
    member(&devnet, "m0", &["hold", "--until", &until.to_string()]).ok();
    assert_eq!(status()["orders"]["heldUntil"], until);
    assert_eq!(member(&devnet, "m0", &["hold", "--release"]).ok().json()["heldUntil"], Value::Null);

    devnet.put("something", &noise(100_000, 1), &[]);
    let scrubbed = member(&devnet, "m0", &["scrub", "--wait"]).ok().json();
    assert!(scrubbed["scrubbedAt"].as_u64().is_some_and(|at| at > 0) && scrubbed["scrubbing"] == false, "{scrubbed}");
}

#[test]
fn a_member_under_systemd_has_its_password_as_a_credential_and_logs_objects() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "3"]);
    devnet.devnet(&["fault", "m0", "crash"]).ok();
    let folder = devnet.dir().join("m0");
    let credentials = folder.join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(folder.join("password"), credentials.join("m0-password")).unwrap();
    let text = fs::read_to_string(folder.join("member.toml")).unwrap();
    let text = text.replace("password_file = \"password\"", "password_file = \"credential:m0-password\"");
    let config = folder.join("systemd.toml");
    fs::write(&config, format!("{text}\n[log]\nformat = \"json\"\n")).unwrap();
    let config = config.to_str().unwrap();
    run(&["--config", config, "member", "run"]).fails(2, &["LoadCredential=m0-password:FILE"]);

    let path = devnet.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let log = devnet.path("log");
    let mut running = command(&["--config", config, "member", "run"]);
    running.env("NOTIFY_SOCKET", &path).env("CREDENTIALS_DIRECTORY", &credentials);
    // A variable that is no setting is remarked on, in the same form.
    running.env("HOLDFAST_MEMBER_LISTN", "x").env("HOLDFAST_NAMESPAEC", "x").stdin(Stdio::null());
    let mut running = running.stderr(File::create(&log).unwrap()).spawn().unwrap();
    let mut heard = [0; 64];
    let length = manager.recv(&mut heard).expect("it serves in time");
    assert_eq!(&heard[..length], b"READY=1\n");
    signal(i32::try_from(running.id()).unwrap(), Signal::TERM);
    assert!(running.wait().unwrap().success());
    let log = fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let named = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}: {log}"))
    };
    let started = named("member.start");
    assert_eq!((&started["level"], &started["target"]), (&"INFO".into(), &"holdfast_committee::member".into()));
    assert!(started["timestamp"].is_string() && started["addr"].as_str().unwrap().contains("127.0.0.1"), "{started}");
    named("member.stop");
    assert_eq!(lines.iter().filter(|line| line["message"] == "config.environment").count(), 2, "{log}");

    // What ends it is an object as well, whether or not its settings can be read.
    let store = folder.join("data/store.json");
    fs::rename(&store, folder.join("store.json")).unwrap();
    let mut running = command(&["--config", config, "member", "run"]);
    let ended = running.env("CREDENTIALS_DIRECTORY", &credentials).stdin(Stdio::null()).output().unwrap();
    assert_eq!(ended.status.code(), Some(6));
    for line in String::from_utf8(ended.stderr).unwrap().lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    fs::rename(folder.join("store.json"), &store).unwrap();
    // With the password in a variable it is the same.
    let text = fs::read_to_string(config).unwrap().replace("credential:m0-password", "env:M0_PASSWORD");
    fs::write(config, text).unwrap();
    let password = fs::read_to_string(credentials.join("m0-password")).unwrap();
    let checked =
        command(&["--config", config, "member", "check"]).env("M0_PASSWORD", password.trim()).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    run(&["--config", config, "member", "check"]).fails(2, &["the variable M0_PASSWORD is not set"]);
    fs::rename(credentials.join("m0-password"), folder.join("password")).unwrap();
}

#[test]
fn a_gateway_logs_objects_where_its_settings_or_a_variable_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    let text = "backend = \"memory\"\n[listen]\nop = \"127.0.0.1:0\"\n";
    for (settings, variable, is_json) in
        [("", None, false), ("[log]\nformat = \"json\"\n", None, true), ("", Some("json"), true)]
    {
        fs::write(&config, format!("{text}{settings}")).unwrap();
        // Standard input is closed: it starts, and stops.
        let mut gateway = command(&["--config", config.to_str().unwrap(), "gateway", "run", "--until-stdin-closes"]);
        gateway.envs(variable.map(|format| ("HOLDFAST_GATEWAY_LOG_FORMAT", format))).stdin(Stdio::null());
        let ran = gateway.output().unwrap();
        let log = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.success() && !log.is_empty(), "{log}");
        for line in log.lines() {
            assert_eq!(serde_json::from_str::<Value>(line).is_ok(), is_json, "{line}");
        }
    }
    fs::write(&config, format!("{text}[log]\nformat = \"xml\"\n")).unwrap();
    run(&["--config", config.to_str().unwrap(), "gateway", "run"]).fails(2, &["xml", "json"]);
}
