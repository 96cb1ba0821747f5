//! Which crate may use which: the picture of ARCHITECTURE.md, held against what cargo says of the workspace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use holdfast_house::{Import, imports, sources};
use serde_json::Value;

/// Crates and what of the workspace each may use, tests and benches aside.
const MAY_USE: &[(&str, &[&str])] = &[
    ("erasure", &[]),
    ("certificate", &["erasure"]),
    ("proto", &["certificate", "erasure"]),
    ("transport", &["certificate", "proto"]),
    ("registry", &["certificate", "erasure"]),
    ("contracts", &["certificate", "erasure"]),
    ("l1", &["certificate", "contracts", "erasure", "registry"]),
    ("devchain", &[]),
    ("client", &["certificate", "erasure", "l1", "proto", "registry", "transport"]),
    ("committee", &["certificate", "client", "erasure", "l1", "proto", "registry", "transport"]),
    ("gateway", &["certificate", "client", "erasure", "l1", "proto", "registry", "transport"]),
    (
        "cli",
        &[
            "certificate",
            "client",
            "committee",
            "contracts",
            "devchain",
            "erasure",
            "gateway",
            "l1",
            "proto",
            "registry",
            "transport",
        ],
    ),
    ("testing", &["certificate", "committee", "registry", "transport"]),
    ("fuzz", &[]),
    ("benches", &[]),
    ("house", &[]),
];

/// Crates without a runtime, a clock or I/O: what they must neither depend on nor name.
const PURE: &[&str] = &["erasure", "certificate", "registry"];
const IMPURE_CRATES: &[&str] = &["tokio", "tonic", "reqwest", "hyper", "rocksdb", "rustix", "alloy"];
const IMPURE_PATHS: &[&str] = &["std::fs", "std::net", "std::io", "SystemTime::now", "Instant::now", "std::process"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace").to_path_buf()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Each crate of the workspace with the names of its dependencies, those of tests and benches left out.
fn used() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").trim_start_matches("holdfast-").to_owned();
    let normal = |dependency: &&Value| dependency["kind"].is_null();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            (name(package), dependencies.iter().filter(normal).map(name).collect())
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_picture_allows() {
    let used = used();
    let rooms: BTreeSet<&str> = used.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for (room, uses) in &used {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| name == room) else {
            wrong.push(format!("{room} has no place in the picture"));
            continue;
        };
        for other in uses.iter().filter(|other| rooms.contains(other.as_str())) {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{room} -> {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that break the picture: {wrong:?}");
}

#[test]
fn pure_crates_have_no_runtime_no_clock_and_no_io() {
    let used = used();
    let mut wrong = Vec::new();
    for room in PURE {
        let impure = used[*room].iter().filter(|other| IMPURE_CRATES.contains(&other.as_str()));
        wrong.extend(impure.map(|other| format!("{room} -> {other}")));
        for source in sources(&root().join(room).join("src")).expect("readable") {
            // Tests may do what they like; they stand at the end of a file.
            let code = source.text.split("#[cfg(test)]").next().unwrap_or_default();
            let named = IMPURE_PATHS.iter().filter(|path| code.contains(*path));
            wrong.extend(named.map(|path| format!("{room}/src/{} names {path}", source.path.display())));
        }
    }
    assert!(wrong.is_empty(), "pure crates that are not: {wrong:?}");
}

/// Every crate that a build of a package without its tests compiles.
fn compiled(package: &str, features: &[&str]) -> BTreeSet<String> {
    let common = ["tree", "--edges", "normal", "--prefix", "none", "--package", package];
    let tree = cargo(&[&common, features].concat());
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_client_carries_no_store_and_without_l1_no_ethereum() {
    let light = compiled("holdfast-client", &["--no-default-features"]);
    for heavy in
        ["alloy", "alloy-primitives", "rustls", "reqwest", "revm", "rocksdb", "holdfast-l1", "holdfast-contracts"]
    {
        assert!(!light.contains(heavy), "holdfast-client without default features -> {heavy}");
    }
    assert!(light.contains("tonic"), "{light:?}");
    let whole = compiled("holdfast-client", &[]);
    for foreign in ["rocksdb", "holdfast-committee", "holdfast-devchain", "revm"] {
        assert!(!whole.contains(foreign), "holdfast-client -> {foreign}");
    }
    assert!(whole.contains("alloy"), "the feature l1 is on by default");
}

#[test]
fn the_development_chain_is_in_no_daemon_or_sdk() {
    for package in ["holdfast-client", "holdfast-committee", "holdfast-l1", "holdfast-contracts", "holdfast-registry"] {
        assert!(!compiled(package, &[]).contains("holdfast-devchain"), "{package} -> holdfast-devchain");
    }
}

/// A member's code has no way to lie or to fail on purpose: fail points are compiled for tests only.
#[test]
fn the_daemon_has_no_fault_mode() {
    let folder = root().join("committee/src");
    let failpoint = fs::read_to_string(folder.join("failpoint.rs")).expect("the fail points");
    assert!(failpoint.contains("#[cfg(test)]\nmod armed {"), "the armed fail points are there in tests only");
    // What damages a stopped member's data is for drills: no other file of the crate may reach it.
    let imports = imports(&sources(&folder).expect("readable")).expect("sources that parse");
    let reaches = |import: &&Import| import.to == Path::new("fault.rs") && import.from != Path::new("lib.rs");
    assert_eq!(imports.iter().find(reaches), None);
    let manifest = fs::read_to_string(root().join("committee/Cargo.toml")).expect("the manifest");
    assert!(!manifest.contains("[features]"), "committee has a feature, which could be a fault mode");
}
