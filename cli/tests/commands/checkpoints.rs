//! Checkpoints: made, proven, verified on L1, and refused where they are not what was signed.

use std::fs;

use crate::support::Devnet;

#[test]
fn a_checkpoint_proves_its_blobs_and_no_other() {
    let devnet = Devnet::shared();
    let certificates = [devnet.put("cp-a", b"first", &["--retain", "40d"]), devnet.put("cp-b", b"second", &[])];
    let foreign = devnet.run(&["--json", "cert", "show", &devnet.put("cp-c", b"third", &[])]).ok().json();
    let shown = certificates.clone().map(|it| devnet.run(&["--json", "cert", "show", &it]).ok().json());
    let (file, ids) = (devnet.path("cp"), devnet.path("cp.ids"));
    let make = ["--json", "cert", "checkpoint", &certificates[0], &certificates[1], "-o", &file, "--ids-out", &ids];
    let made = devnet.run(&make).ok().json();
    assert_eq!(made["retainUntil"], shown[1]["retainUntil"]);
    // Without its ids it could prove nothing.
    let (before, kept) = (fs::read(&file).unwrap(), fs::read(&ids).unwrap());
    devnet.run(&make).fails(6, &["cp", "--force"]);
    devnet
        .run(&["cert", "checkpoint", &certificates[0], "-o", &devnet.path("one"), "--ids-out", &ids])
        .fails(6, &["--force"]);
    devnet
        .run(&["cert", "checkpoint", &certificates[0], "-o", &devnet.path("one"), "--ids-out", &devnet.path("one")])
        .fails(2, &["same file"]);
    assert_eq!((fs::read(&file).unwrap(), fs::read(&ids).unwrap()), (before, kept));
    assert!(made["attested"].as_u64().unwrap() >= 6, "{made}");
    let said = devnet.run(&["--json", "cert", "show", &file]).ok().json();
    assert_eq!((&said["count"], &said["blobsRoot"]), (&2.into(), &made["blobsRoot"]));
    let verified = devnet.run(&["--json", "cert", "verify", &file]).ok().json();
    assert_eq!((&verified["genuine"], &verified["acceptable"]), (&true.into(), &true.into()));
    let prove = |id: &str| devnet.run(&["--json", "cert", "prove", id, "--checkpoint", &file, "--ids", &ids]);
    let proofs = shown.each_ref().map(|it| prove(it["blobId"].as_str().unwrap()).ok().json()["proof"].clone());
    assert_ne!(proofs[0], proofs[1]);
    prove(foreign["blobId"].as_str().unwrap()).fails(4, &["cannot prove it"]);
    fs::write(&ids, format!("{}\n", foreign["blobId"].as_str().unwrap())).unwrap();
    prove(foreign["blobId"].as_str().unwrap()).fails(4, &["cannot prove it"]);

    let genuine = fs::read(&file).unwrap();
    for position in (1..genuine.len()).step_by(5).chain([genuine.len() - 1]) {
        let mut changed = genuine.clone();
        changed[position] ^= 1;
        let ran = devnet.run(&["cert", "verify", &format!("0x{}", hex::encode(&changed))]);
        assert_eq!(ran.code, Some(4), "bit of byte {position}: {}", ran.stderr);
    }
    devnet.run(&["cert", "verify", "0xc1"]).fails(2, &["1 bytes are no id"]);
    for length in [84, 85, genuine.len() - 1] {
        let short = format!("0x{}", hex::encode(&genuine[..length]));
        devnet.run(&["cert", "verify", &short]).fails(4, &["not a checkpoint"]);
    }
}

#[test]
fn what_makes_no_checkpoint_says_why() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("cp-bad", b"bad", &[]);
    let absent = format!("0x{}", "ee".repeat(32));
    devnet.run(&["cert", "checkpoint", &absent]).fails(2, &["--retain-until"]);
    devnet.run(&["cert", "checkpoint", &certificate, &certificate]).fails(2, &["is there twice"]);
    devnet.run(&["cert", "checkpoint", &certificate, &absent]).fails(2, &["quorum not reached", &absent]);
    devnet.run(&["cert", "checkpoint", &certificate, "--publish"]).fails(2, &["no L1 is configured"]);
}

#[test]
fn l1_knows_a_checkpoint_when_it_is_published() {
    let devnet = Devnet::up(&[]);
    let certificates = [devnet.put("cp-1", b"one", &[]), devnet.put("cp-2", b"two", &[])];
    let (file, ids) = (devnet.path("cp"), devnet.path("cp.ids"));
    let make = ["--json", "cert", "checkpoint", &certificates[0], &certificates[1], "-o", &file, "--ids-out", &ids];
    let made = devnet.run(&make).ok().json();
    let id = made["blobIds"][0].as_str().unwrap();
    let prove = ["cert", "prove", id, "--checkpoint", &file, "--ids", &ids, "--on-chain"];
    devnet.run(&prove).fails(4, &["UNKNOWN_CHECKPOINT"]);
    assert!(devnet.run(&["cert", "verify", &file, "--on-chain"]).ok().text().contains("on L1         OK"));
    devnet.run(&["cert", "publish", &file]).ok();
    assert!(devnet.run(&prove).ok().text().contains("on L1         OK"));
}
