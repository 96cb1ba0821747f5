//! A result that exists is never lost, and never a lie.

use std::{
    fs,
    io::Read as _,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{Devnet, MIB, noise, signal, wait_until};

/// An account that has nothing on a devnet's chain.
const WITHOUT_ETHER: &str = "1111111111111111111111111111111111111111111111111111111111111111";

#[test]
fn a_blob_that_cannot_be_published_is_printed_and_written_all_the_same() {
    let devnet = Devnet::shared_with_l1();
    let key = devnet.file("poor.key", WITHOUT_ETHER.as_bytes());
    let config = devnet.config("poor.toml", |ours| {
        ours.replace("\"l1.key\"", &format!("\"{key}\"")).replace("[l1]", "l1_journal = \"poor-journal\"\n[l1]")
    });
    let (file, certificate) = (devnet.file("poor", b"not to be paid for"), devnet.path("poor.cert"));
    let put = ["--config", &config, "--json", "put", &file, "--publish", "-o", &certificate];
    let ran = crate::support::run(&put);
    ran.fails(8, &["dispersed, not published", "wei", "holdfast cert publish"]);
    assert_eq!(ran.error().unwrap()["code"], "not_published");
    let put = ran.json();
    assert_eq!(put["published"], serde_json::Value::Null);
    let compact = fs::read(&certificate).unwrap();
    assert_eq!(put["certificate"], format!("0x{}", hex::encode(&compact)));
    assert_eq!(devnet.get(put["blobId"].as_str().unwrap()), b"not to be paid for");

    let human = crate::support::run(&["--config", &config, "put", &file, "--publish"]);
    human.fails(8, &["not published"]);
    assert!(human.text().contains(put["blobId"].as_str().unwrap()), "{}", human.text());

    // Who can pay is told of both, in one object.
    let paid = devnet.run(&["--json", "put", &file, "--publish"]).ok().json();
    assert_eq!((&paid["format"], &paid["blobId"]), (&1.into(), &put["blobId"]));
    assert!(paid["published"]["block"].is_u64() && paid["published"]["gasUsed"].is_u64(), "{paid}");
}

#[test]
fn a_journal_that_cannot_be_written_is_named_with_the_setting_that_moves_it() {
    let devnet = Devnet::shared_with_l1();
    // A folder cannot be made below a file, whoever asks.
    let file = devnet.file("no-folder", b"x");
    let config =
        devnet.config("journal.toml", |ours| ours.replace("[l1]", &format!("l1_journal = \"{file}/j\"\n[l1]")));
    let payload = devnet.file("journal", b"whose publication has no journal");
    let put = crate::support::run(&["--config", &config, "--json", "put", &payload, "--publish"]);
    put.fails(8, &["l1_journal", "no-folder/j"]);
    assert!(put.json()["blobId"].is_string());
    let doctor = crate::support::run(&["--config", &config, "doctor"]);
    doctor.fails(2, &["to be mended: L1 journal"]);
    assert!(doctor.text().contains("-> set l1_journal"), "{}", doctor.text());
}

#[test]
fn an_output_that_cannot_be_written_is_refused_before_anything_is_dispersed() {
    let devnet = Devnet::shared();
    let payload = noise(7919, 20);
    let file = devnet.file("nowhere", &payload);
    for output in ["no/such/folder/c", "/proc/nothing", devnet.dir().to_str().unwrap()] {
        let ran = devnet.run(&["put", &file, "-o", output]);
        ran.fails(2, &["cannot write", output]);
        assert!(!ran.stderr.contains("dispersing"), "{}", ran.stderr);
    }
    let listed = devnet.run(&["--json", "ls"]).ok().json();
    assert!(listed["blobs"].as_array().unwrap().iter().all(|blob| blob["payloadBytes"] != payload.len()));
}

#[test]
fn a_stopped_member_delays_no_certificate_and_no_other_s_clock() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let pid = devnet.pids()[3];
    signal(pid, Signal::STOP);
    let (file, certificate) = (devnet.file("stopped", &noise(100_000, 21)), devnet.path("stopped.cert"));
    let started = Instant::now();
    let mut put = devnet.command(&["put", &file, "-o", &certificate]);
    let mut put = put.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the certificate is on disk", || fs::metadata(&certificate).is_ok_and(|found| found.len() > 0));
    // And on the screen.
    let mut said = [0; 64];
    put.stdout.take().unwrap().read_exact(&mut said).unwrap();
    assert!(said.starts_with(b"blob id       0x"), "{}", String::from_utf8_lossy(&said));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    put.kill().unwrap();
    put.wait().unwrap();
    devnet.run(&["cert", "verify", &certificate]).ok();

    let ran = devnet.run(&["--json", "committee", "check"]);
    ran.fails(3, &["problems with 1 of 7 members", "m3"]);
    for row in ran.json()["members"].as_array().unwrap().iter().filter(|row| row["slot"] != 3) {
        assert!(row["clockOffSeconds"].as_i64().unwrap().abs() <= 1, "{row}");
    }
    signal(pid, Signal::CONT);
}

#[test]
fn a_full_device_is_an_error() {
    let devnet = Devnet::shared();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    // Less than a buffer, without a newline; more than a buffer.
    for (name, length) in [("full-small", 100), ("full-large", 8292)] {
        let certificate = devnet.put(name, &noise(length, 22), &[]);
        let ran = crate::support::ran(devnet.command(&["get", &certificate]).stdout(full()));
        ran.fails(1, &["cannot write to standard output", "No space left"]);
        devnet.run(&["get", &certificate, "-o", "/dev/full"]).fails(1, &["cannot write /dev/full", "No space left"]);
    }
    for arguments in
        [&["status"][..], &["--json", "status"], &["committee", "plan", "--members", "7"], &["completions", "bash"]]
    {
        let ran = crate::support::ran(devnet.command(arguments).stdout(full()));
        ran.fails(1, &["No space left"]);
    }
}

#[test]
fn a_reader_of_a_payload_who_stops_early_has_not_all_of_it() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("early", &noise(MIB, 23), &[]);
    let mut get = devnet.command(&["get", &certificate]);
    let mut get = get.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    get.stdout.take().unwrap().read_exact(&mut [0; 1000]).unwrap();
    let output = get.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_payload_over_the_cap_is_refused_before_it_is_read() {
    let devnet = Devnet::shared();
    let huge = devnet.path("huge");
    fs::File::create(&huge).unwrap().set_len(1 << 30).unwrap();
    let started = Instant::now();
    devnet.run(&["put", &huge]).fails(2, &["1073741824 bytes", "at most 33554432"]);
    devnet.run(&["put", "/dev/zero"]).fails(2, &["/dev/zero", "more than 33554432 bytes"]);
    // What is no payload is short, too.
    devnet.run(&["cert", "show", &huge]).fails(2, &["1073741824 bytes", "at most"]);
    devnet.run(&["cert", "show", "/dev/zero"]).fails(2, &["/dev/zero", "more than"]);
    crate::support::run(&["--config", &huge, "status"]).fails(2, &["1073741824 bytes"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_folder_is_no_payload_and_no_certificate() {
    let devnet = Devnet::shared();
    devnet.run(&["put", devnet.dir().to_str().unwrap()]).fails(2, &["it is a folder"]);
    devnet.run(&["cert", "show", devnet.dir().to_str().unwrap()]).fails(2, &["it is a folder"]);
}
