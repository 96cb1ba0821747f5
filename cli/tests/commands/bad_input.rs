//! What `put` and `get` say to bad input; and what they do on the boundaries of good input.

use std::fs;

use crate::support::{Devnet, MIB, noise};

#[test]
fn an_empty_payload_is_refused() {
    let devnet = Devnet::shared();
    let file = devnet.file("empty", b"");
    devnet.run(&["put", &file]).fails(2, &["is empty", "at least 1 byte"]);
}

#[test]
fn a_missing_payload_is_named() {
    let devnet = Devnet::shared();
    devnet.run(&["put", &devnet.path("absent")]).fails(2, &["cannot read", "absent"]);
}

#[test]
fn one_byte_comes_back() {
    let devnet = Devnet::shared();
    for by in ["shard", "payload"] {
        let certificate = devnet.put(&format!("one-{by}"), &[7], &["--by", by]);
        assert_eq!(devnet.get(&certificate), [7]);
    }
}

#[test]
fn the_largest_payload_comes_back_and_one_byte_more_is_refused() {
    let devnet = Devnet::shared();
    let mut payload = noise(32 * MIB, 1);
    for by in ["shard", "payload"] {
        payload[0] ^= 1;
        let certificate = devnet.put(&format!("largest-{by}"), &payload, &["--by", by, "--deadline", "60s"]);
        assert!(devnet.get(&certificate) == payload, "{by}: read back differs");
    }
    payload.push(0);
    let file = devnet.file("too-large", &payload);
    for by in ["shard", "payload"] {
        devnet.run(&["put", &file, "--by", by]).fails(2, &["33554433 bytes", "at most 33554432"]);
    }
}

#[test]
fn an_unknown_namespace_is_refused_before_anything_is_sent() {
    let devnet = Devnet::shared();
    let file = devnet.file("unknown-namespace", b"x");
    let namespace = format!("0x{:064x}", 1);
    let ran = devnet.run(&["put", &file, "--namespace", &namespace]);
    ran.fails(2, &[&format!("unknown namespace {namespace}")]);
    assert!(!ran.stderr.contains("member"), "{}", ran.stderr);
}

#[test]
fn a_malformed_namespace_is_refused() {
    let devnet = Devnet::shared();
    let file = devnet.file("malformed-namespace", b"x");
    devnet.run(&["put", &file, "--namespace", "0x12"]).fails(2, &["--namespace", "64"]);
}

#[test]
fn a_retention_out_of_policy_is_refused_with_what_was_expected() {
    let devnet = Devnet::shared();
    let file = devnet.file("retention", b"x");
    devnet.run(&["put", &file, "--retain", "1h"]).fails(2, &["retain_until must be at least", "got"]);
    // Only members know their own policy; all say the same, once.
    let ran = devnet.run(&["put", &file, "--retain", "400d"]);
    ran.fails(2, &["0 of 6", "members 0, 1, 2, 3, 4, 5 and 6: ", "retain_until must be at most", "got"]);
    assert_eq!(ran.stderr.matches("retain_until must be at most").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_span_that_is_none_is_refused() {
    let devnet = Devnet::shared();
    let file = devnet.file("span", b"x");
    devnet.run(&["put", &file, "--retain", "soon"]).fails(2, &["soon", "28d or 36h"]);
}

#[test]
fn a_stranger_s_key_is_refused_before_anything_is_sent() {
    let devnet = Devnet::shared();
    let file = devnet.file("stranger", b"x");
    let key = devnet.file("stranger.key", "11".repeat(32).as_bytes());
    let ours = fs::read_to_string(devnet.dir().join("client.toml")).unwrap();
    let theirs = ours
        .replace("disperser.key", &key)
        .replace("committee.json", devnet.dir().join("committee.json").to_str().unwrap());
    let config = devnet.file("stranger.toml", theirs.as_bytes());
    let ran = crate::support::run(&["--config", &config, "put", &file]);
    ran.fails(2, &["is not a disperser of namespace"]);
    assert!(!ran.stderr.contains("member"), "{}", ran.stderr);
}

#[test]
fn a_blob_that_was_never_stored_is_certainly_not_found() {
    let devnet = Devnet::shared();
    let id = format!("0x{}", "ab".repeat(32));
    let file = devnet.path("never");
    devnet.run(&["get", &id, "-o", &file]).fails(5, &[&id, "was not found", "6 suffice to be certain"]);
    assert!(!std::path::Path::new(&file).exists());
}

#[test]
fn what_is_neither_id_nor_certificate_is_refused() {
    let devnet = Devnet::shared();
    devnet.run(&["get", "0xzz", "-o", &devnet.path("a")]).fails(2, &["0xzz is no hex"]);
    devnet.run(&["get", "absent", "-o", &devnet.path("b")]).fails(2, &["no blob id", "no file"]);
}

#[test]
fn a_member_that_the_committee_lacks_cannot_be_asked() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("from", b"from whom", &[]);
    let id = devnet.run(&["--json", "cert", "show", &certificate]).ok().json()["blobId"].as_str().unwrap().to_owned();
    for what in [&certificate, &id] {
        let ran = devnet.run(&["get", what, "--from", "m0,m9", "-o", &devnet.path("from.read")]);
        ran.fails(2, &["no member m9 in epoch 1", "m0 to m6"]);
    }
    devnet.run(&["get", &certificate, "--from", "you", "-o", &devnet.path("from.read")]).fails(2, &["you", "m0, m1"]);
}

#[test]
fn only_the_members_named_are_asked() {
    let devnet = Devnet::shared();
    let payload = noise(5000, 2);
    let certificate = devnet.put("named", &payload, &[]);
    let file = devnet.path("named.read");
    let got = devnet.run(&["--json", "get", &certificate, "--from", "m1,m3", "-o", &file]).ok().json();
    let mut from: Vec<u64> = got["from"].as_array().unwrap().iter().map(|slot| slot.as_u64().unwrap()).collect();
    from.sort_unstable();
    assert_eq!(from, [1, 3]);
    assert_eq!(fs::read(&file).unwrap(), payload);
    let ran = devnet.run(&["get", &certificate, "--from", "m1", "-o", &devnet.path("one.read")]);
    // A member that is slow on a busy machine is not waited for, since it could not help.
    ran.fails(3, &["of 2 shards accepted"]);
}

#[test]
fn json_has_the_documented_fields() {
    let devnet = Devnet::shared();
    let payload = noise(1000, 3);
    let file = devnet.file("json", &payload);
    let certificate = devnet.path("json.cert");
    let put = devnet.run(&["--json", "put", &file, "-o", &certificate]).ok().json();
    let compact = fs::read(&certificate).unwrap();
    assert_eq!(put["payloadBytes"], 1000);
    assert_eq!(put["certificateBytes"], compact.len());
    assert_eq!(put["certificate"], format!("0x{}", hex::encode(&compact)));
    assert!(put["attested"].as_u64().unwrap() >= 6);
    assert_eq!(put["retainUntil"].as_u64().unwrap() % 3600, 0);
    assert!(put["milliseconds"].as_f64().unwrap() > 0.0);
    assert!(put["failures"].is_array());

    let read = devnet.path("json.read");
    let got = devnet.run(&["--json", "get", put["blobId"].as_str().unwrap(), "-o", &read]).ok().json();
    assert_eq!(got["blobId"], put["blobId"]);
    assert_eq!(got["payloadBytes"], 1000);
    assert_eq!(got["file"], read);
    assert_eq!(got["faults"], serde_json::json!([]));
    assert!(got["from"].is_array() && got["milliseconds"].is_number());
    assert_eq!(fs::read(read).unwrap(), payload);

    let status = devnet.run(&["--json", "status"]).ok().json();
    assert_eq!((&status["format"], &status["epoch"]), (&1.into(), &1.into()));
    assert_eq!(status["members"].as_array().unwrap().len(), 7);
    for (slot, row) in status["members"].as_array().unwrap().iter().enumerate() {
        assert_eq!(row["slot"], slot);
        assert_eq!(row["state"], "serving");
        assert!(row["blobs"].as_u64().unwrap() >= 1 && row["storedBytes"].is_u64() && row["publicKey"].is_string());
    }
}

#[test]
fn without_a_file_the_payload_itself_is_printed() {
    let devnet = Devnet::shared();
    let payload = noise(3000, 4);
    let certificate = devnet.put("stdout", &payload, &[]);
    assert_eq!(devnet.run(&["get", &certificate]).ok().stdout, payload);
    devnet.run(&["--json", "get", &certificate]).fails(2, &["-o FILE"]);
}
