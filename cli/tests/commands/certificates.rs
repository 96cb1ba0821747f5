//! Certificates that are not what was signed.

use std::fs;

use crate::support::Devnet;

#[test]
fn one_changed_bit_anywhere_is_refused() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("flip", b"signed as it is", &[]);
    let genuine = fs::read(&certificate).unwrap();
    devnet.run(&["cert", "verify", &certificate]).ok();
    // Format, namespace, epoch, length, digest, code, root, fingerprints, times, signers, signature: some byte of each.
    for position in (0..genuine.len()).step_by(7).chain([genuine.len() - 1]) {
        let mut changed = genuine.clone();
        changed[position] ^= 1;
        let hex = format!("0x{}", hex::encode(&changed));
        let ran = devnet.run(&["cert", "verify", &hex]);
        assert_eq!(ran.code, Some(4), "bit of byte {position}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("holdfast: "), "bit of byte {position}: {}", ran.stderr);
    }
    // Reading checks it too.
    for position in [5, 40, 150, genuine.len() - 5] {
        let mut changed = genuine.clone();
        changed[position] ^= 0x10;
        let ran = devnet.run(&["get", &format!("0x{}", hex::encode(&changed)), "-o", &devnet.path("flip.read")]);
        assert_eq!(ran.code, Some(4), "bit of byte {position}: {}", ran.stderr);
    }
}

#[test]
fn garbage_is_no_certificate() {
    let devnet = Devnet::shared();
    let whole = fs::read(devnet.put("garbage", b"garbage", &[])).unwrap();
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("short", whole[..whole.len() - 1].to_vec()),
        ("long", [whole.as_slice(), &[0]].concat()),
        ("text", b"not a certificate".to_vec()),
    ] {
        let file = devnet.file(&format!("garbage-{name}"), &bytes);
        for verb in ["show", "verify"] {
            devnet.run(&["cert", verb, &file]).fails(4, &["not a certificate"]);
        }
        devnet.run(&["get", &file, "-o", &devnet.path("garbage.read")]).fails(4, &["not a certificate"]);
    }
}

#[test]
fn a_genuine_certificate_is_not_acceptable_at_every_time() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("times", b"times", &[]);
    let ran = devnet.run(&["--json", "cert", "verify", &certificate, "--at", "2100-01-01T00:00:00Z"]);
    ran.fails(4, &["retained until", "expected at least 86400 s after 2100-01-01T00:00:00Z"]);
    let verified = ran.json();
    assert_eq!((&verified["genuine"], &verified["acceptable"]), (&true.into(), &false.into()));
    devnet.run(&["cert", "verify", &certificate, "--at", "teatime"]).fails(2, &["teatime", "unix seconds"]);
}

#[test]
fn what_only_l1_can_answer_needs_an_l1() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("no-l1", b"no L1", &[]);
    devnet.run(&["cert", "verify", &certificate, "--on-chain"]).fails(2, &["no L1 is configured", "rpc_url"]);
    devnet.run(&["cert", "publish", &certificate]).fails(2, &["no L1 is configured"]);
}

#[test]
fn a_certificate_that_is_published_again_is_not_doubled() {
    let devnet = Devnet::up(&[]);
    let certificate = devnet.put("once", b"once and for all", &[]);
    let first = devnet.run(&["--json", "cert", "publish", &certificate, "--wait", "finalized"]).ok().json();
    let again = devnet.run(&["--json", "cert", "publish", &certificate]).ok().json();
    assert_eq!(first, again);
    let other = devnet.run(&["--json", "cert", "publish", &devnet.put("other", b"another", &[])]).ok().json();
    assert_ne!(first["transaction"], other["transaction"]);
}
