//! `holdfast namespace`: what an owner changes on L1, and what a guardian's Safe is given to sign.

use std::fs;

use serde_json::Value;

use crate::{
    l1::{account, deploy},
    support::{Devnet, wait_until},
};

const SOMEBODY: &str = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";

#[test]
fn an_owner_decides_who_disperses_and_for_how_long_data_is_kept() {
    let devnet = Devnet::up(&[]);
    let deployed = deploy(&devnet);
    let key = account(&devnet);
    let at = |arguments: &[&str]| devnet.run(&[&["--json", "namespace"], arguments, &deployed.at()].concat());
    let owner = |arguments: &[&str]| at(&[arguments, &["--key-file", &key]].concat());

    let create = ["create", "--min-retention", "2d", "--disperser", SOMEBODY];
    let created = owner(&create).ok().json();
    let namespace = created["namespace"].as_str().unwrap();
    let named = ["--namespace", namespace];
    assert_eq!(owner(&create).ok().json(), created, "given again, it is the same transaction");
    owner(&["create", "--min-retention", "3d", "--disperser", SOMEBODY]).fails(6, &["NamespaceExists"]);
    let show = || at(&[&["show"][..], &named].concat());
    wait_until("the namespace is final", || show().code == Some(0));
    let shown = show().json();
    assert_eq!((&shown["owner"], &shown["minRetentionSeconds"]), (&created["signer"], &172_800.into()));
    assert_eq!(
        (&shown["dispersers"], &shown["pending"], &shown["holdUntil"]),
        (&vec![SOMEBODY].into(), &Value::Null, &Value::Null)
    );

    // A slip of the pen must not look like a disperser taken off.
    let slip = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bd";
    owner(&[&["revoke", slip][..], &named].concat()).fails(5, &[slip, SOMEBODY]);
    let again = owner(&[&["allow", SOMEBODY][..], &named].concat()).ok().json();
    assert!(again["transaction"].is_null() && again["means"].as_str().unwrap().contains("already"), "{again}");
    owner(&[&["revoke", SOMEBODY][..], &named].concat()).ok();
    // A raise takes an hour, in which it can be taken back.
    let raised = owner(&[&["retention", "3d"][..], &named].concat()).ok().json();
    wait_until("both are final", || {
        let shown = show().ok().json();
        shown["pending"]["from"] == raised["effectiveFrom"] && shown["dispersers"].as_array().unwrap().is_empty()
    });
    assert_eq!(show().json()["minRetentionSeconds"], 172_800);
    assert_eq!(show().json()["pending"]["minRetentionSeconds"], 259_200);
    owner(&[&["retention", "2d"][..], &named].concat()).ok();
    wait_until("it is taken back", || show().ok().json()["pending"].is_null());
    // A lowering takes the registry's delay of a week, so that nobody is surprised by it.
    let lowered = owner(&[&["retention", "1d"][..], &named].concat()).ok().json();
    let from = lowered["effectiveFrom"].as_u64().unwrap();
    assert!(from >= raised["effectiveFrom"].as_u64().unwrap() - 3_600 + 604_800, "{raised} {lowered}");
    wait_until("the lowering is final", || show().ok().json()["pending"]["from"] == from);
    assert_eq!(show().json()["minRetentionSeconds"], 172_800);
    owner(&[&["allow", SOMEBODY][..], &named].concat()).ok();
    wait_until("the disperser is back", || show().ok().json()["dispersers"][0] == SOMEBODY);
}

#[test]
fn a_safe_is_given_what_it_signs_and_nothing_that_would_be_refused() {
    let devnet = Devnet::up(&[]);
    let (file, config) = (devnet.path("safe.json"), devnet.dir().join("client.toml"));
    let config = fs::read_to_string(config).unwrap();
    let namespace = config.lines().find_map(|line| line.strip_prefix("namespace = ")).unwrap().trim_matches('"');
    let until = holdfast_now() + 30 * 86_400;
    devnet.run(&["namespace", "hold", "--until", &until.to_string(), "--safe-json", &file]).ok();
    let written = fs::read(&file).unwrap();
    let json: Value = serde_json::from_slice(&written).unwrap();
    let transaction = &json["transactions"][0];
    assert_eq!(transaction["contractMethod"]["name"], "holdNamespace");
    assert_eq!(transaction["contractInputsValues"]["namespace"], namespace);
    // holdNamespace(bytes32,uint64): the selector, the namespace, the time.
    let data = transaction["data"].as_str().unwrap();
    assert_eq!(&data[10..], format!("{}{until:064x}", &namespace[2..]));

    // What waits to be signed is not overwritten by a slip.
    let hold = ["namespace", "hold", "--until", &(until + 60).to_string(), "--safe-json", &file];
    devnet.run(&hold).fails(6, &["--force"]);
    assert_eq!(fs::read(&file).unwrap(), written);
    devnet.run(&[&hold[..], &["--force"]].concat()).ok();
    assert!(fs::read_to_string(&file).unwrap().contains(&(until + 60).to_string()));

    fs::remove_file(&file).unwrap();
    for (arguments, says) in [
        (vec!["hold", "--until", "2100-01-01T00:00:00Z"], "HoldTooLong"),
        (
            vec!["create", "--min-retention", "2d", "--disperser", SOMEBODY, "--owner", SOMEBODY, "--salt", "0x01"],
            "salt",
        ),
    ] {
        let ran = devnet.run(&[&["namespace"], &arguments[..], &["--safe-json", &file]].concat());
        assert_ne!(ran.code, Some(0), "{arguments:?}");
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!fs::exists(&file).unwrap(), "{arguments:?}");
    }
    let unknown = format!("0x{}", "22".repeat(32));
    devnet.run(&["namespace", "show", "--namespace", &unknown]).fails(5, &["no namespace", &unknown]);
    devnet.run(&["namespace", "allow", SOMEBODY, "--namespace", &unknown]).fails(5, &["no namespace"]);
    // A Safe owns what it creates: another id than the configured account's.
    let create = ["--json", "namespace", "create", "--min-retention", "2d", "--disperser", SOMEBODY];
    let by_safe = devnet.run(&[&create[..], &["--owner", SOMEBODY, "--safe-json", &file]].concat()).ok().json();
    let by_account = devnet.run(&create).ok().json();
    assert_ne!(by_safe["namespace"], by_account["namespace"]);
}

fn holdfast_now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
