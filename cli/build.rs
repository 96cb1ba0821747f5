//! Tells the program which commit it was built from, and leads RocksDB's checksums to `committee/src/store/checksum.rs`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=HOLDFAST_BUILD_COMMIT");
    // A build from an archive of the sources says it itself, or not at all.
    let commit = std::env::var("HOLDFAST_BUILD_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    println!("cargo::rustc-env=HOLDFAST_COMMIT={}", commit.unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo::rustc-env=HOLDFAST_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    if std::env::var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--wrap=_ZN7rocksdb6crc32c6ExtendEjPKcm");
    }
    // What changes with every commit; a work tree of its own has it elsewhere.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
