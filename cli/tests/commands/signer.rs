//! A committee one of whose members has its key with `holdfast signer run`.

use std::{
    fs,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use crate::support::{Devnet, command, noise, run, signal, wait_until};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A signer that is stopped however a test ends.
struct Signer(Child);

impl Signer {
    fn start(config: &str) -> Self {
        let mut command = command(&["--config", config, "signer", "run"]);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        Self(child)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    fn stop(mut self) {
        signal(self.pid(), Signal::TERM);
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_committee_with_a_member_whose_key_is_on_a_signer_over_tls() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4", "-t", "4", "-k", "1"]);
    devnet.devnet(&["down"]).ok();
    let own = member_config(&devnet);
    let registry = run(&["--json", "--config", &own, "member", "check"]).ok().json()["registry"].clone();
    // The key moves out of the member's folder into the signer's.
    let (home, member) = (devnet.path("signer"), devnet.dir().join("m0"));
    fs::create_dir(&home).unwrap();
    for name in ["keystore.json", "password"] {
        fs::rename(member.join(name), format!("{home}/{name}")).unwrap();
    }
    fs::write(format!("{home}/token"), TOKEN).unwrap();
    fs::write(member.join("token"), TOKEN).unwrap();
    let config = format!("{home}/signer.toml");
    let address = holdfast_transport::free_addresses(1).unwrap()[0];
    let made = run(&["--json", "--config", &config, "signer", "new-tls", "--host", "127.0.0.1"]).ok().json();
    run(&["--config", &config, "signer", "new-tls", "--host", "127.0.0.1"]).fails(6, &["tls.crt exists"]);
    let settings = format!(
        "listen = \"{address}\"\ntoken_file = \"token\"\nkeystore = \"keystore.json\"\npassword_file = \"password\"\nchain_id = 0\nregistry = {registry}\nmax_endorsement = \"30d\"\n[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n",
    );
    fs::write(&config, &settings).unwrap();
    let checked = run(&["--json", "--config", &config, "signer", "check"]).ok().json();
    assert_eq!(checked["tlsPin"], made["tlsPin"]);
    let text = fs::read_to_string(&own).unwrap();
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("keystore") && !line.starts_with("password_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    let metrics = holdfast_transport::free_addresses(1).unwrap()[0];
    let text = format!(
        "metrics_listen = \"{metrics}\"\n{text}\n[signer]\nurl = \"https://{address}\"\npublic_key = {}\ntls_pin = {}\ntoken_file = \"token\"\n",
        checked["publicKey"], checked["tlsPin"],
    );
    fs::write(&own, text).unwrap();

    let signer = Signer::start(&config);
    devnet.devnet(&["up"]).ok();
    let status = || run(&["--json", "--config", &own, "member", "status"]).ok().json();
    assert!(status()["writesDisabled"].is_null());
    let certificate = devnet.put("signed", &noise(100_000, 1), &[]);
    assert!(devnet.get(&certificate) == noise(100_000, 1));
    devnet.run(&["get", &certificate, "--from", "m0", "--force", "-o", "/dev/null"]).ok();
    let page_now = page(metrics);
    let median = page_now.lines().find_map(|line| line.strip_prefix("holdfast_member_signature_median_seconds "));
    let median: f64 = median.unwrap().parse().unwrap();
    assert!((0.000_01..3.0).contains(&median), "{median}");
    assert!(page_now.contains("\nholdfast_member_signer_trouble 0\n"));

    // While it is away the member reads, and says why it does not sign; all four are needed for a certificate.
    signer.stop();
    wait_until("the member says that its signer is away", || {
        status()["writesDisabled"].as_str().is_some_and(|why| why.contains("signer does not sign"))
    });
    let file = devnet.file("batch", &noise(100_000, 2));
    devnet.run(&["put", &file]).fails(3, &["3 of 4", "signer does not sign now"]);
    devnet.run(&["get", &certificate, "--from", "m0", "--force", "-o", "/dev/null"]).ok();
    assert!(page(metrics).contains("\nholdfast_member_signer_trouble 1\n"));
    let signer = Signer::start(&config);
    wait_until("the member's signer is well", || status()["writesDisabled"].is_null());
    let certificate = devnet.put("later", &noise(100_000, 2), &[]);

    // One that stands still is slow, not away: puts end with a reason, reads go on, and it is well when it goes on.
    signal(signer.pid(), Signal::STOP);
    let file = devnet.file("slow", &noise(50_000, 3));
    devnet.run(&["put", &file]).fails(3, &["3 of 4"]);
    devnet.run(&["get", &certificate, "--from", "m0", "--force", "-o", "/dev/null"]).ok();
    signal(signer.pid(), Signal::CONT);
    wait_until("it goes on", || devnet.run(&["put", &file]).code == Some(0));

    // A TLS key of the member is endorsed there, for no longer than the signer's rules allow.
    run(&["--config", &own, "member", "new-tls", "--host", "127.0.0.1"]).fails(1, &["by this signer's rules"]);
    run(&["--config", &own, "member", "new-tls", "--host", "127.0.0.1", "--span", "20d"]).ok();
    signer.stop();
}

fn member_config(devnet: &Devnet) -> String {
    devnet.dir().join("m0/member.toml").to_str().unwrap().to_owned()
}

/// The page of metrics.
fn page(address: std::net::SocketAddr) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: member\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
