//! `holdfast demo`: every step holds, and nothing stays behind however it ends.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use crate::support::{command, noise, processes_naming, run, signal, wait_until};

/// Every step, in order. Which members lie, break and die hangs on the blob.
const STEPS: [&str; 16] = [
    "start L1 and 7 members, register keys and committee",
    "put by shard",
    "put by payload",
    "verify the certificates locally",
    "verify and publish on L1 (by shard)",
    "verify and publish on L1 (by payload)",
    "one checkpoint over both blobs; verify each in it on L1",
    "open a leaf of the payload on L1",
    "m0 lies, a bit flips in m1's shard; read back",
    "kill -9 m0 m1 m2 m3 m4; read from the two left",
    "put with five members dead: refused, a reason per member",
    "restart the killed members; check what each holds",
    "put the same payload again: repairs both copies",
    "the owner raises the namespace's minimum retention, and withdraws that",
    "governance proposes the next epoch; put in it",
    "the guardian revokes the epoch",
];

#[test]
fn every_step_holds_on_one_byte_and_on_many() {
    let folder = tempfile::tempdir().unwrap();
    for (name, payload) in [("one", vec![1]), ("many", noise(300 * 1024, 8))] {
        let file = folder.path().join(name);
        fs::write(&file, &payload).unwrap();
        let temporary = folder.path().join(format!("{name}.tmp"));
        fs::create_dir(&temporary).unwrap();
        let output = command(&["--json", "demo", file.to_str().unwrap()]).env("TMPDIR", &temporary).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let steps: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let said: Vec<String> =
            steps["steps"].as_array().unwrap().iter().map(|row| any_number(row["step"].as_str().unwrap())).collect();
        assert_eq!(said, STEPS.map(any_number));
        assert_nothing_is_left(&temporary);
    }
}

#[test]
fn an_empty_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty");
    fs::write(&file, "").unwrap();
    run(&["demo", file.to_str().unwrap()]).fails(2, &["is empty", "at least 1 byte"]);
    run(&["demo", folder.path().join("absent").to_str().unwrap()]).fails(2, &["cannot read", "absent"]);
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    // Once while it starts, once while its members serve.
    for moment in ["l1.blocks", "m6/member.toml"] {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = start(folder.path());
        wait_until("the demo is under way", || is_named(folder.path(), moment));
        signal(i32::try_from(demo.id()).unwrap(), Signal::INT);
        assert_eq!(demo.wait().unwrap().code(), Some(1));
        // Members that the demo could not note down end with it.
        wait_until("its processes have ended", || !is_named(folder.path(), "devnet/"));
        assert_nothing_is_left(folder.path());
    }
}

#[test]
fn the_members_of_a_killed_demo_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = start(folder.path());
    wait_until("its last member runs", || is_named(folder.path(), "m6/member.toml"));
    signal(i32::try_from(demo.id()).unwrap(), Signal::KILL);
    demo.wait().unwrap();
    wait_until("its processes have ended", || !is_named(folder.path(), "devnet/"));
}

fn start(temporary: &Path) -> Child {
    let file = temporary.with_extension("payload");
    fs::write(&file, noise(100_000, 9)).unwrap();
    let mut command = command(&["demo", file.to_str().unwrap()]);
    let child = command.env("TMPDIR", temporary).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the demo has read its file", || fs::read_dir(temporary).unwrap().next().is_some());
    fs::remove_file(file).unwrap();
    child
}

/// True while a process under this temporary folder has `what` in its command line.
fn is_named(temporary: &Path, what: &str) -> bool {
    let folder = temporary.to_str().unwrap();
    processes_naming(folder).into_iter().any(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(what)
    })
}

/// A step's name without its numbers.
fn any_number(step: &str) -> String {
    step.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

#[track_caller]
fn assert_nothing_is_left(temporary: &Path) {
    assert_eq!(processes_naming(temporary.to_str().unwrap()), Vec::<i32>::new());
    let left: Vec<_> = fs::read_dir(temporary).unwrap().filter_map(Result::ok).map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
