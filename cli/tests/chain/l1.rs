//! `holdfast l1`: deployment, the check of nodes and registry, keys and endpoints on L1.

use std::fs;

use serde_json::Value;

use crate::support::{Devnet, run, wait_until};

/// An account that has nothing on a devnet's chain.
const STRANGER: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

const SAFE: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";

/// A registry of its own on a devnet's chain, with a week's delay.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) url: String,
    pub(crate) registry: String,
    pub(crate) report: Value,
}

/// The account that a devnet does everything with: the owner of its namespace, governance and guardian.
pub(crate) fn account(devnet: &Devnet) -> String {
    devnet.dir().join("l1.key").to_str().unwrap().to_owned()
}

/// The URL of a devnet's L1.
pub(crate) fn url(devnet: &Devnet) -> String {
    let config = fs::read_to_string(devnet.dir().join("client.toml")).unwrap();
    config.lines().find_map(|line| line.strip_prefix("rpc_url = ")).unwrap().trim_matches('"').to_owned()
}

pub(crate) fn deploy(devnet: &Devnet) -> Deployed {
    let (url, key) = (url(devnet), account(devnet));
    let deploy = ["--json", "l1", "deploy", "--rpc", &url, "--governance", SAFE, "--guardian", SAFE, "--delay", "7d"];
    let report = devnet.run(&[&deploy[..], &["--key-file", &key]].concat()).ok().json();
    let registry = report["registry"].as_str().unwrap().to_owned();
    let deployed = Deployed { url, registry, report };
    wait_until("the deployment is final", || devnet.run(&deployed.check()).code == Some(0));
    deployed
}

impl Deployed {
    fn check(&self) -> [&str; 7] {
        ["--json", "l1", "check", "--rpc", &self.url, "--registry", &self.registry]
    }

    /// Arguments that name this registry.
    pub(crate) fn at(&self) -> [&str; 4] {
        ["--rpc", &self.url, "--registry", &self.registry]
    }
}

#[test]
fn a_registry_is_deployed_and_checked() {
    let devnet = Devnet::up(&[]);
    let deployed = deploy(&devnet);
    assert_eq!((&deployed.report["governance"], &deployed.report["guardian"]), (&SAFE.into(), &SAFE.into()));
    assert_eq!(deployed.report["delaySeconds"], 604_800);
    assert_eq!(deployed.report["overlapSeconds"], 3_600, "an hour, unless another is asked for");
    let report = devnet.run(&deployed.check()).ok().json();
    let registry = &report["registry"];
    assert_eq!((&registry["codeAsExpected"], &registry["governance"]), (&true.into(), &SAFE.into()));
    assert_eq!((&registry["delay"], &registry["activeEpoch"]), (&604_800.into(), &0.into()));
    assert_eq!((&report["nodes"][0]["eip2537"], &report["nodes"][0]["chainId"]), (&true.into(), &31337.into()));
    // Of the configuration, the devnet's own.
    let own = devnet.run(&["--json", "l1", "check"]).ok().json();
    assert_eq!(own["registry"]["activeEpoch"], 1);

    // An account, but no registry; and a second node that does not answer.
    devnet.run(&["l1", "check", "--rpc", &deployed.url, "--registry", SAFE]).fails(4, &["no contract", SAFE]);
    let two = ["l1", "check", "--rpc", &deployed.url, "--rpc", "http://127.0.0.1:1", "--registry", &deployed.registry];
    devnet.run(&two).fails(3, &["127.0.0.1:1", "1 of 2 L1 nodes"]);
    run(&["l1", "check"]).fails(2, &["--rpc"]);
    run(&["l1", "check", "--rpc", "ftp://a.example"]).fails(2, &["http"]);
}

#[test]
fn a_member_registers_its_key_and_says_where_it_is() {
    let devnet = Devnet::up(&[]);
    let (keystore, password) = (devnet.path("m.json"), devnet.file("password", b"correct horse\n"));
    devnet.run(&["keys", "new", "--keystore", &keystore, "--password-file", &password]).ok();
    let register = ["--json", "l1", "register-key", "--keystore", &keystore, "--password-file", &password];
    let endpoint = ["--json", "l1", "endpoint", "set", "--keystore", &keystore, "--url", "https://m.example:7400"];
    devnet.run(&endpoint).fails(6, &["not registered", "register-key"]);
    let registered = devnet.run(&register).ok().json();
    assert_eq!(devnet.run(&register).ok().json(), registered, "given again, it is the same transaction");
    // Of another account it is no longer to be had, and that account could not pay anyway.
    let stranger = devnet.file("stranger.key", STRANGER.as_bytes());
    devnet.run(&[&register[..], &["--key-file", &stranger]].concat()).fails(6, &["KeyAlreadyRegistered"]);

    let pin = "ab".repeat(32);
    let said = devnet.run(&[&endpoint[..], &["--tls-pin", &pin]].concat()).ok().json();
    assert_eq!((&said["keyId"], &said["account"]), (&registered["keyId"], &registered["account"]));
    assert_eq!((&said["endpoint"], &said["tlsPin"]), (&"https://m.example:7400".into(), &format!("0x{pin}").into()));
    // Not another's account.
    devnet
        .run(&[&endpoint[..], &["--key-file", &stranger]].concat())
        .fails(6, &["the registry refuses this", "NotKeyAccount"]);
    devnet.run(&[&endpoint[..], &["--tls-pin", "ab"]].concat()).fails(2, &["--tls-pin"]);
}

#[test]
fn an_account_in_a_keystore_pays() {
    let devnet = Devnet::up(&[]);
    let keystore = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/erc2335/pbkdf2.json");
    let password = devnet.file("password", "testpassword\u{1f511}\n".as_bytes());
    let wrong = devnet.file("wrong", b"testpassword\n");
    let allow = ["namespace", "allow", SAFE, "--key-file", keystore];
    devnet.run(&allow).fails(2, &["is a keystore", "password"]);
    devnet.run(&[&allow[..], &["--key-password-file", &wrong]].concat()).fails(2, &["pbkdf2.json", "password"]);
    // It opens, but the namespace is not this account's.
    devnet
        .run(&[&allow[..], &["--key-password-file", &password]].concat())
        .fails(6, &["the registry refuses this", "NotNamespaceOwner"]);
}
