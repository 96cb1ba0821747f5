//! Two versions in one committee, this one and the last release, both ways round. `HOLDFAST_LAST_RELEASE` names the other's
//! binary (`make versions RELEASE=v0.1.0` builds it); without it nothing is tested, and that is said.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, noise, ran, wait_until};

const OTHER: &str = "HOLDFAST_LAST_RELEASE";

/// A devnet whose members are of both versions.
struct Mixed {
    folder: TempDir,
    this: PathBuf,
}

impl Mixed {
    fn dir(&self) -> String {
        self.folder.path().join("devnet").to_str().unwrap().to_owned()
    }

    /// `holdfast devnet ...` of this version.
    fn devnet(&self, binary: &Path, arguments: &[&str]) -> Ran {
        of(binary, &[&["devnet"], arguments, &["--dir", &self.dir()]].concat())
    }

    /// Stops a member with SIGKILL, and starts it again with this binary and its data.
    fn run_with(&self, binary: &Path, member: &str) {
        self.devnet(&self.this, &["fault", member, "crash"]).ok();
        self.devnet(binary, &["heal", member]).ok();
        assert_eq!(self.program(member), binary.canonicalize().unwrap(), "{member}");
    }

    /// The program that a member runs.
    fn program(&self, member: &str) -> PathBuf {
        let state: Value = serde_json::from_slice(&fs::read(format!("{}/devnet.json", self.dir())).unwrap()).unwrap();
        let slot: usize = member.trim_start_matches('m').parse().unwrap();
        let pid = state["members"][slot]["process"]["pid"].as_i64().unwrap();
        fs::read_link(format!("/proc/{pid}/exe")).unwrap()
    }

    fn client(&self, binary: &Path, arguments: &[&str]) -> Ran {
        of(binary, &[&["--config", &format!("{}/client.toml", self.dir())], arguments].concat())
    }

    /// Stores bytes; the certificate is in the file returned.
    fn put(&self, binary: &Path, name: &str, bytes: &[u8], by: &str) -> String {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let (file, certificate) = (path(name), path(&format!("{name}.cert")));
        fs::write(&file, bytes).unwrap();
        self.client(binary, &["put", &file, "--by", by, "-o", &certificate]).ok();
        certificate
    }

    fn get(&self, binary: &Path, certificate: &str) -> Vec<u8> {
        let file = self.folder.path().join("read");
        self.client(binary, &["get", certificate, "--force", "-o", file.to_str().unwrap()]).ok();
        fs::read(file).unwrap()
    }

    /// Whether this member can serve its part of a blob.
    fn serves(&self, slot: u16, certificate: &str) -> bool {
        let checked = self.client(&self.this, &["--json", "blob", "check", certificate]).ok().json();
        checked["serving"].as_array().unwrap().contains(&slot.into())
    }
}

impl Drop for Mixed {
    fn drop(&mut self) {
        let down = self.devnet(&self.this, &["down"]);
        if !std::thread::panicking() {
            down.ok();
        }
    }
}

fn of(binary: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    ran(command.args(arguments).stdin(Stdio::null()))
}

#[test]
fn members_and_clients_of_this_version_and_of_the_last_release_are_one_committee() {
    let Some(other) = std::env::var_os(OTHER).map(PathBuf::from) else {
        println!("NOT tested: {OTHER} names no binary of the last release (make versions RELEASE=...)");
        return;
    };
    let this = PathBuf::from(env!("CARGO_BIN_EXE_holdfast")).canonicalize().unwrap();
    let other = other.canonicalize().unwrap_or_else(|error| panic!("{OTHER}={}: {error}", other.display()));
    assert_ne!(fs::read(&this).unwrap(), fs::read(&other).unwrap(), "it is the same binary");
    for (first, second) in [(&this, &other), (&other, &this)] {
        one_committee(&this, first, second);
    }
}

/// A committee of `first`, of which two members become `second`.
fn one_committee(this: &Path, first: &Path, second: &Path) {
    let mixed = Mixed { folder: tempfile::tempdir().unwrap(), this: this.to_owned() };
    mixed.devnet(first, &["up", "--l1", "none", "--members", "5", "-t", "4", "-k", "2"]).ok();
    for slot in [0, 4] {
        let config = format!("{}/m{slot}/member.toml", mixed.dir());
        let text = fs::read_to_string(&config).unwrap();
        fs::write(config, format!("{text}\n[policy]\nrepair_delay = \"1s\"\n")).unwrap();
    }
    let mut stored: Vec<(String, Vec<u8>)> = Vec::new();
    let mut put = |binary: &Path, name: &str, length: usize, by: &str| {
        let bytes = noise(length, stored.len() as u64 + 1);
        stored.push((mixed.put(binary, name, &bytes, by), bytes));
        stored.last().unwrap().0.clone()
    };
    put(first, "before", 300_000, "shard");
    put(first, "before-whole", 50_000, "payload");
    // What the one version has stored the other opens and serves.
    mixed.run_with(second, "m3");
    mixed.run_with(second, "m4");
    // Every certificate needs members of both.
    mixed.devnet(this, &["fault", "m0", "crash"]).ok();
    let missed = [put(first, "by-first", 300_000, "shard"), put(second, "by-second", 200_001, "payload")];
    // A member that was away becomes whole from members of both versions, whichever it is of.
    mixed.devnet(first, &["heal", "m0"]).ok();
    assert_eq!(mixed.program("m0"), first.canonicalize().unwrap());
    wait_until("m0 is whole", || missed.iter().all(|certificate| mixed.serves(0, certificate)));
    mixed.devnet(this, &["fault", "m4", "crash"]).ok();
    let missed = [put(second, "again", 100_000, "shard"), put(first, "again-whole", 40_000, "payload")];
    mixed.devnet(second, &["heal", "m4"]).ok();
    wait_until("m4 is whole", || missed.iter().all(|certificate| mixed.serves(4, certificate)));
    for binary in [first, second] {
        for (certificate, bytes) in &stored {
            assert!(mixed.get(binary, certificate) == *bytes, "{} reads {certificate}", binary.display());
        }
    }
    // Back again: the store that the second has written is opened by the first, or refused by what its format is.
    mixed.devnet(this, &["fault", "m3", "crash"]).ok();
    let back = mixed.devnet(first, &["heal", "m3"]);
    if back.code == Some(0) {
        mixed.devnet(this, &["fault", "m1", "crash"]).ok();
        mixed.devnet(this, &["fault", "m2", "crash"]).ok();
        mixed.devnet(this, &["fault", "m4", "crash"]).ok();
        for (certificate, bytes) in &stored {
            assert!(mixed.get(second, certificate) == *bytes, "m0 and m3 give {certificate}");
        }
    } else {
        let named = back.stderr.contains("format") || back.stderr.contains("version");
        assert!(named, "refused, but not by its format: {}", back.stderr);
    }
}
