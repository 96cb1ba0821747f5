//! What still works where no epoch is active, and while L1 is away.

use holdfast_devchain::DEV_KEYS;
use holdfast_l1::Publisher;
use rustix::process::Signal;

use crate::{
    committee::{l1, safe::block_on},
    support::{Devnet, signal, wait_until},
};

#[test]
fn a_revocation_stops_writing_and_nothing_else() {
    let devnet = Devnet::up(&["--members", "4"]);
    let certificate = devnet.put("before", b"stored before the revocation", &[]);
    let id = devnet.run(&["--json", "cert", "show", &certificate]).ok().json()["blobId"].as_str().unwrap().to_owned();
    let l1 = l1(&devnet);
    block_on(async {
        let guardian = Publisher::connect(&l1[1], l1[3].parse().unwrap(), &DEV_KEYS[0]).await.unwrap();
        let receipt = guardian.revoke_epoch(1).await.unwrap();
        guardian.wait_final(receipt.block, std::time::Duration::from_secs(60)).await.unwrap();
    });
    let file = devnet.file("after", b"after");
    wait_until("nothing can be stored", || devnet.run(&["put", &file]).code == Some(3));
    devnet.run(&["put", &file]).fails(3, &["no committee epoch is active"]);

    for what in [&id, &certificate] {
        assert_eq!(devnet.get(what), b"stored before the revocation");
    }
    let status = devnet.run(&["--json", "status"]).ok().json();
    assert_eq!((&status["epoch"], status["members"].as_array().unwrap().len()), (&1.into(), 4));
    // Members look at L1 every 2 s.
    wait_until("every member knows", || devnet.run(&["committee", "check"]).code == Some(0));
    let checked = devnet.run(&["--json", "committee", "check"]).ok().json();
    assert!(checked["notes"][0].as_str().unwrap().contains("no epoch is active"), "{checked}");
    assert_eq!(devnet.run(&["--json", "blob", "check", &id]).ok().json()["mayFail"], 2);
    assert_eq!(devnet.run(&["--json", "ls"]).ok().json()["blobs"][0]["blobId"], id);
    devnet.run(&["doctor"]).fails(3, &["to be mended: epoch"]);
}

#[test]
fn an_l1_that_is_away_is_bridged_by_what_was_last_final() {
    let devnet = Devnet::up(&["--members", "4"]);
    let certificate = devnet.put("bridge", b"over the bridge", &[]);
    let id = devnet.run(&["--json", "cert", "show", &certificate]).ok().json()["blobId"].as_str().unwrap().to_owned();
    let chain = i32::try_from(devnet.state()["l1"]["process"]["pid"].as_i64().unwrap()).unwrap();
    signal(chain, Signal::KILL);
    wait_until("L1 is away", || devnet.run(&["l1", "check"]).code == Some(3));
    let read = devnet.path("bridge.read");
    for what in [&id, &certificate] {
        let ran = devnet.run(&["get", what, "--force", "-o", &read]).ok();
        assert!(ran.stderr.contains("note: L1 is away") && ran.stderr.contains("what was final at"), "{}", ran.stderr);
        assert_eq!(std::fs::read(&read).unwrap(), b"over the bridge");
    }
    // Members keep what they know for ten minutes, and so can be written to.
    let file = devnet.file("bridge.again", b"again over the bridge");
    let ran = devnet.run(&["put", &file]).ok();
    assert!(ran.stderr.contains("note: L1 is away"), "{}", ran.stderr);
    assert!(devnet.run(&["status"]).ok().text().contains("serving"));
    // What a certificate is worth is a question to L1 itself.
    devnet.run(&["cert", "verify", &certificate]).fails(3, &["L1 at 127.0.0.1:"]);
    // Without anything known there is nothing to go on with.
    std::fs::remove_file(devnet.dir().join("holdfast-registry.json")).unwrap();
    devnet.run(&["get", &id, "-o", &read, "--force"]).fails(3, &["L1 at 127.0.0.1:"]);
}
