//! Configurations and committee files with something wrong in them.

use std::fs;

use crate::support::{Devnet, edit_json, run};

#[test]
fn a_misspelt_key_is_answered_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("client.toml");
    fs::write(&config, "namspace = \"0x00\"\n").unwrap();
    run(&["--config", config.to_str().unwrap(), "status"]).fails(2, &["\"namspace\"", "did you mean \"namespace\""]);
}

#[test]
fn a_missing_or_broken_configuration_is_named() {
    run(&["--config", "absent.toml", "status"]).fails(2, &["cannot read absent.toml"]);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("client.toml");
    fs::write(&config, "namespace = [").unwrap();
    run(&["--config", config.to_str().unwrap(), "status"]).fails(2, &["client.toml"]);
    fs::write(&config, "").unwrap();
    run(&["--config", config.to_str().unwrap(), "status"]).fails(2, &["no committee is configured", "committee_file"]);
}

#[test]
fn an_l1_that_is_down_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("client.toml");
    let registry = "11".repeat(20);
    fs::write(&config, format!("[l1]\nrpc_url = \"http://127.0.0.1:9\"\nregistry = \"0x{registry}\"\n")).unwrap();
    run(&["--config", config.to_str().unwrap(), "status"]).fails(3, &["L1 at 127.0.0.1:9"]);
}

#[test]
fn a_committee_file_with_a_duplicate_key_or_a_bad_possession_names_the_slots() {
    let devnet = Devnet::shared();
    let committee = devnet.dir().join("committee.json");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    edit_json(&committee, &path("duplicate.json"), |file| {
        for field in ["publicKey", "proofOfPossession"] {
            file["members"][3][field] = file["members"][1][field].clone();
        }
    });
    edit_json(&committee, &path("possession.json"), |file| {
        file["members"][3]["proofOfPossession"] = file["members"][1]["proofOfPossession"].clone();
    });
    for (name, says) in [
        ("duplicate", "slots 1 and 3 have the same public key"),
        ("possession", "slot 3: proof of possession does not verify"),
    ] {
        let json = path(&format!("{name}.json"));
        let config = path(&format!("{name}.toml"));
        fs::write(&config, format!("committee_file = \"{}\"\n", json.display())).unwrap();
        run(&["--config", config.to_str().unwrap(), "status"]).fails(2, &[&format!("{name}.json"), says]);

        let dir = path(name);
        run(&[
            "member",
            "init",
            "--dir",
            dir.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--committee-file",
            json.to_str().unwrap(),
        ])
        .ok();
        let member = dir.join("member.toml");
        for verb in ["check", "run"] {
            run(&["--config", member.to_str().unwrap(), "member", verb]).fails(2, &[says]);
        }
    }
}

#[test]
fn a_key_file_that_holds_no_key_is_named() {
    let devnet = Devnet::shared();
    let payload = devnet.file("no-key", b"x");
    let namespace = devnet.state()["namespace"].as_str().unwrap().to_owned();
    for (name, key) in [("short", "abcd".to_owned()), ("zero", "00".repeat(32))] {
        let file = devnet.file(&format!("{name}.key"), key.as_bytes());
        let committee = devnet.dir().join("committee.json");
        let text = format!(
            "namespace = \"{namespace}\"\ndisperser_key_file = \"{file}\"\ncommittee_file = \"{}\"\n",
            committee.display()
        );
        let config = devnet.file(&format!("{name}.toml"), text.as_bytes());
        run(&["--config", &config, "put", &payload]).fails(2, &[&format!("{name}.key")]);
    }
}

#[test]
fn a_reader_who_stops_early_is_no_error() {
    use std::process::Stdio;
    let devnet = Devnet::shared();
    let mut status =
        crate::support::command(&["--config", devnet.dir().join("client.toml").to_str().unwrap(), "--json", "status"]);
    let mut child = status.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
