//! `holdfast devnet`: up, faults, down, up again.

use std::{fs, process::Stdio};

use rustix::process::Signal;

use crate::support::{Devnet, command, is_alive, noise, processes_naming, ran, run, signal, wait_until};

#[test]
fn down_and_up_keeps_every_blob_and_the_l1() {
    let devnet = Devnet::up(&[]);
    let payload = noise(100_000, 6);
    let by_shard = devnet.put("by-shard", &payload, &["--publish"]);
    let by_payload = devnet.put("by-payload", &payload, &["--by", "payload"]);
    let before = devnet.state();
    assert!(devnet.devnet(&["up"]).ok().stderr.contains("is running already"));
    let shown = devnet.devnet(&["--json", "status"]).ok().json();
    let rows = &shown["processes"];
    let names: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["l1", "m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    assert!(rows.as_array().unwrap().iter().all(|row| row["running"] == true && row["pid"].is_i64()));
    assert!(devnet.devnet(&["status"]).ok().text().contains("serving"));

    let pids = devnet.pids();
    assert_eq!(pids.len(), 8);
    let down = devnet.devnet(&["--json", "down"]).ok().json();
    assert_eq!(down, serde_json::json!({"format": 1, "members": 7, "removed": false}));
    assert!(!pids.into_iter().any(is_alive));
    devnet.devnet(&["down"]).ok();
    devnet.run(&["cert", "verify", &by_shard]).fails(3, &["L1 at 127.0.0.1:"]);

    devnet.devnet(&["up"]).ok();
    let after = devnet.state();
    assert_eq!(before["namespace"], after["namespace"]);
    assert_eq!(before["l1"]["registry"], after["l1"]["registry"]);
    for certificate in [&by_shard, &by_payload] {
        assert!(devnet.get(certificate) == payload);
        let verified = devnet.run(&["--json", "cert", "verify", certificate, "--on-chain"]).ok().json();
        assert_eq!((&verified["acceptable"], &verified["onChain"]), (&true.into(), &"OK".into()));
    }
    let published = devnet.run(&["--json", "cert", "publish", &by_payload]).ok().json();
    assert!(published["gasUsed"].as_u64().unwrap() > 100_000 && published["transaction"].is_string());
    forged_certificates_are_refused_on_l1(&devnet, &by_shard);
    liars_are_named(&devnet);

    let pids = devnet.pids();
    devnet.devnet(&["down", "--remove"]).ok();
    assert!(!devnet.dir().exists() && !pids.into_iter().any(is_alive));
    devnet.devnet(&["status"]).fails(2, &["no devnet in"]);
}

fn forged_certificates_are_refused_on_l1(devnet: &Devnet, certificate: &str) {
    let mut forged = fs::read(certificate).unwrap();
    let last = forged.len() - 1;
    forged[last - 60] ^= 1;
    let forged = format!("0x{}", hex::encode(forged));
    devnet.run(&["cert", "verify", &forged, "--on-chain"]).fails(4, &[]);
    devnet.run(&["cert", "publish", &forged]).fails(4, &[]);
}

/// Both holders of the original shards lie; readers name them and still read.
fn liars_are_named(devnet: &Devnet) {
    let payload = noise(50_000, 7);
    let certificate = devnet.put("lies", &payload, &[]);
    let read = devnet.path("lies.read");
    let got = devnet.run(&["--json", "get", &certificate, "-o", &read]).ok().json();
    let id = got["blobId"].as_str().unwrap().to_owned();
    for (slot, fault) in got["from"].as_array().unwrap().iter().zip(["wrong-shard", "bitflip"]) {
        devnet.devnet(&["fault", &format!("m{slot}"), fault, "--blob", &id]).ok();
    }
    let again = devnet.run(&["--json", "get", &certificate, "--force", "-o", &read]).ok();
    let faults = again.json()["faults"].as_array().unwrap().clone();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(again.stderr.matches("fault: member").count(), 2, "{}", again.stderr);
    assert_eq!(fs::read(read).unwrap(), payload);
    devnet.devnet(&["fault", "m9", "bitflip"]).fails(2, &["\"m9\"", "m0 to m6"]);
    devnet.devnet(&["fault", "m0", "bitflip", "--blob", "0x12"]).fails(2, &["--blob"]);
}

#[test]
fn what_cannot_be_a_devnet_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("devnet").to_str().unwrap().to_owned();
    run(&["devnet", "status", "--dir", &dir]).fails(2, &["no devnet in", "devnet up"]);
    run(&["devnet", "down", "--dir", &dir]).fails(2, &["no devnet in"]);
    run(&["devnet", "up", "--members", "7", "-t", "8", "--dir", &dir]).fails(2, &["7", "8"]);
    run(&["devnet", "up", "--members", "7", "-k", "9", "--dir", &dir]).fails(2, &["7", "9"]);
    // Before any key is made.
    let started = std::time::Instant::now();
    run(&["devnet", "up", "--members", "95", "--dir", &dir]).fails(2, &["95 members", "at most 94", "--l1 none"]);
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(!fs::exists(&dir).unwrap());
    fs::create_dir(&dir).unwrap();
    fs::write(folder.path().join("devnet/precious"), "x").unwrap();
    run(&["devnet", "up", "--dir", &dir]).fails(6, &["not empty"]);
    fs::write(folder.path().join("devnet/devnet.json"), "{").unwrap();
    run(&["devnet", "status", "--dir", &dir]).fails(2, &["devnet.json is not a devnet's state file"]);
}

#[test]
fn an_interrupted_up_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("devnet").to_str().unwrap().to_owned();
    let mut up = command(&["devnet", "up", "--dir", &dir]).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the L1 runs", || !processes_naming(&format!("{dir}/l1.blocks")).is_empty());
    signal(i32::try_from(up.id()).unwrap(), Signal::INT);
    assert_eq!(up.wait().unwrap().code(), Some(1));
    assert_eq!(processes_naming(&format!("{dir}/")), Vec::<i32>::new());
    assert!(!fs::exists(&dir).unwrap(), "nothing is left of it");
}

#[test]
fn a_failed_up_leaves_nothing_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("devnet").to_str().unwrap().to_owned();
    for was_there in [false, true] {
        if was_there {
            fs::create_dir(&dir).unwrap();
        }
        // No member can start with this.
        let mut up = command(&["devnet", "up", "--l1", "none", "--dir", &dir]);
        ran(up.env("HOLDFAST_MEMBER_LISTEN", "256.0.0.1:1"))
            .fails(1, &["m0 does not serve", "HOLDFAST_MEMBER_LISTEN", "invalid socket address"]);
        assert_eq!(fs::exists(&dir).unwrap(), was_there);
        assert!(!was_there || fs::read_dir(&dir).unwrap().next().is_none(), "the folder was empty, and is");
        assert_eq!(processes_naming(&format!("{dir}/")), Vec::<i32>::new());
    }
}

#[test]
fn another_size_than_the_devnet_has_is_said() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    devnet.devnet(&["up", "--members", "5"]).fails(2, &["has 4 members", "no L1", "another --dir"]);
    devnet.devnet(&["up", "--l1", "embedded"]).fails(2, &["no L1"]);
    devnet.devnet(&["up", "--members", "4", "--l1", "none"]).ok();
    devnet.devnet(&["down"]).ok();
    devnet.devnet(&["up", "-t", "4"]).fails(2, &["threshold 3"]);
    devnet.devnet(&["down"]).ok();
}
