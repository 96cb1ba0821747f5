//! Each lie, and what every command makes of it.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    asked::{Besieged, LIAR},
    liar::Lie,
};

/// Whether a list of failures or faults names the liar, and nobody else as one that has lied.
fn names(list: &Value) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|of| of["slot"] == LIAR))
}

fn endure(lie: Lie) {
    let besieged = Besieged::by(lie);
    std::thread::scope(|scope| {
        scope.spawn(|| reads(&besieged));
        scope.spawn(|| audits(&besieged));
        scope.spawn(|| stores(&besieged));
        scope.spawn(|| looks(&besieged));
        scope.spawn(|| keeps(&besieged));
    });
}

fn reads(besieged: &Besieged) {
    let file = besieged.path("read");
    let got = besieged.ask("get", &["get", besieged.certificate(), "--force", "-o", &file]);
    assert!(got.ok, "{}", got.stderr);
    assert!(fs::read(&file).unwrap() == besieged.payload(), "other bytes");
}

/// Everybody is asked, so that the liar is named.
fn audits(besieged: &Besieged) {
    let file = besieged.path("audited");
    let arguments = ["get", besieged.certificate(), "--audit", "--deadline", "8s", "--force", "-o", &file];
    let got = besieged.ask("audit", &arguments);
    assert!(got.ok, "{}", got.stderr);
    assert!(fs::read(&file).unwrap() == besieged.payload(), "other bytes");
    let named = names(&got.json["faults"]) || names(&got.json["failures"]);
    assert!(named && got.stderr.contains(&besieged.endpoint()), "{} {}", got.json, got.stderr);
    let from = got.json["from"].as_array().unwrap();
    assert!(!from.contains(&LIAR.into()), "nothing of the liar's is in it: {from:?}");
}

fn stores(besieged: &Besieged) {
    let file = besieged.path("payload");
    fs::write(&file, besieged.endpoint().repeat(1000)).unwrap();
    let put = besieged.ask("put", &["put", &file, "--force", "-o", &besieged.path("cert")]);
    assert!(put.ok && put.json["attested"] == 3, "{} {}", put.json, put.stderr);
    // Who has not answered when there is a certificate is not waited for, and nobody else has failed.
    let failures = put.json["failures"].as_array().unwrap();
    assert!(failures.iter().all(|failure| failure["slot"] == LIAR), "{failures:?}");
}

fn looks(besieged: &Besieged) {
    let status = besieged.ask("status", &["status"]);
    let rows = status.json["members"].as_array().unwrap();
    let serving: Vec<_> = rows.iter().filter(|row| row["state"] == "serving").map(|row| row["slot"].clone()).collect();
    assert_eq!(serving, [0, 1, 2], "{}", status.json);
    let listed = besieged.ask("ls", &["ls"]);
    assert_eq!(listed.json["answered"], serde_json::json!([0, 1, 2]), "{} {}", listed.json, listed.stderr);
    assert!(listed.stderr.contains(&format!("without m{LIAR}")), "{}", listed.stderr);
    let doctor = besieged.ask("doctor", &["doctor"]);
    let findings = doctor.json.to_string();
    assert!(findings.contains("3 of 4 answer and store") && findings.contains(&besieged.endpoint()), "{findings}");
}

/// What a namespace's operator has held on, and what anybody keeps of it. Others store meanwhile, so there is more than the one blob.
fn keeps(besieged: &Besieged) {
    let id = besieged.id();
    let due = besieged.ask("due", &["namespace", "renew", "--retain", "80d", "--within", "79d", "--dry-run"]);
    let has_it = due.json["renewed"].as_array().unwrap().iter().any(|renewed| renewed["blobId"] == id);
    assert!(due.ok && has_it && due.json["complete"] == true, "{} {}", due.json, due.stderr);
    assert!(due.stderr.contains(&besieged.endpoint()), "{}", due.stderr);
    let renewed = besieged.ask("renew", &["namespace", "renew", id, "--retain", "40d"]);
    let of = &renewed.json["renewed"][0];
    assert!(renewed.ok && of["blobId"] == id, "{} {}", renewed.json, renewed.stderr);
    assert_eq!(of["retainUntil"], renewed.json["retainUntil"], "{}", renewed.json);
    let name = id.trim_start_matches("0x");
    for (what, arguments) in [("export", &["export"][..]), ("mirror", &["mirror", "run", "--once"])] {
        let folder = besieged.path(what);
        let kept = besieged.ask(what, &[arguments, &["--dir", &folder]].concat());
        assert!(kept.ok && kept.json["complete"] == true, "{} {}", kept.json, kept.stderr);
        let file = Path::new(&folder).join("blobs").join(&name[..2]).join(format!("{name}.bin"));
        assert!(fs::read(&file).unwrap() == besieged.payload(), "{what}: other bytes");
        let named = format!("without member {LIAR} at http://{}", besieged.endpoint());
        assert!(kept.stderr.contains(&named), "{}", kept.stderr);
    }
}

#[test]
fn streams_without_end() {
    endure(Lie::Endless);
}

#[test]
fn empty_messages_without_end() {
    endure(Lie::EmptyForEver);
}

#[test]
fn a_byte_now_and_then() {
    endure(Lie::Drip);
}

#[test]
fn parts_that_take_more_memory_than_they_have_bytes() {
    endure(Lie::EmptyParts);
}

#[test]
fn a_status_of_a_megabyte() {
    endure(Lie::GiantStatus);
}

#[test]
fn a_status_that_steers_terminals() {
    endure(Lie::ControlCharacters);
}

#[test]
fn metadata_that_lies() {
    endure(Lie::LyingMetadata);
}

#[test]
fn a_bomb_of_trailers() {
    endure(Lie::TrailerBomb);
}

#[test]
fn a_length_that_lies() {
    endure(Lie::WrongLength);
}

#[test]
fn a_compressed_message() {
    endure(Lie::Compressed);
}

#[test]
fn a_web_page_that_sends_elsewhere() {
    endure(Lie::WebPage);
}

#[test]
fn calls_that_are_reset_as_if_never_begun() {
    endure(Lie::Reset);
}

#[test]
fn a_member_that_accepts_and_says_nothing() {
    endure(Lie::Silent);
}

#[test]
fn another_protocol() {
    endure(Lie::OldHttp);
}

#[test]
fn a_flood_of_frames() {
    endure(Lie::Frames);
}

#[test]
fn headers_without_end() {
    endure(Lie::Continuations);
}
