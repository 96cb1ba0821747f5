//! Every line of docs/first-committee.md, run as it stands; only its ports are others.

use std::{
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use holdfast_transport::free_addresses;
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a walk-through may take; scrypt and a chain's blocks take most of it.
const LIMIT: Duration = Duration::from_secs(240);

const PAGE: &str = include_str!("../../../docs/first-committee.md");

/// A shell and all that it has started, ended with the test.
struct Walk(Child);

impl Drop for Walk {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        // It fails only if all have ended already.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The console lines under a heading.
fn lines(heading: &str) -> String {
    let section = PAGE.split_once(&format!("\n## {heading}\n")).expect("the heading").1;
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines: String = blocks.collect();
    assert!(lines.lines().count() > 10, "{lines}");
    lines
}

/// Ports that nothing listens on, in place of those that begin with the same three digits, and of anvil's.
fn with_free_ports(mut script: String) -> String {
    let free = free_addresses(9).unwrap();
    let mut ports = free.iter().map(SocketAddr::port);
    for prefix in ["740", "741"] {
        let table: Vec<String> = (&mut ports).take(4).map(|port| port.to_string()).collect();
        script = script.replace(&format!("127.0.0.1:{prefix}$i"), &format!("127.0.0.1:$(port{prefix} $i)"));
        let cases: String = table.iter().enumerate().map(|(slot, port)| format!("{slot}) echo {port};; ")).collect();
        script = format!("port{prefix}() {{ case $1 in {cases} esac; }}\n{script}");
    }
    script.replace("8545", &ports.next().unwrap().to_string())
}

fn walk(heading: &str, path: &[&Path]) {
    let folder = tempfile::tempdir().unwrap();
    // A line that fails ends the walk, and is shown.
    let script = format!("set -euxo pipefail\n{}", with_free_ports(lines(heading)));
    let log = folder.path().join("walk.log");
    let said = fs::File::create(&log).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_holdfast")).parent().unwrap().to_owned();
    let mut folders = vec![binary];
    folders.extend(path.iter().map(|path| path.to_path_buf()));
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
        shell.env_remove(name);
    }
    shell
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .stdin(Stdio::null())
        .stdout(said.try_clone().unwrap())
        .stderr(said)
        .process_group(0);
    let mut walk = Walk(shell.spawn().unwrap());
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = walk.0.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let said = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    let last: Vec<&str> = said.lines().rev().take(30).collect();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    assert!(status.is_some_and(|status| status.success()), "{status:?}; the end of what was said:\n{last}");
}

#[test]
fn a_committee_without_l1_by_hand() {
    walk("Without L1", &[]);
}

#[test]
fn a_committee_on_a_development_chain_by_hand() {
    let anvil: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../contracts/node_modules/.bin"].iter().collect();
    assert!(anvil.join("anvil").exists(), "run `make node`: the contracts' npm packages bring anvil along");
    walk("With a development chain", &[&anvil]);
}

#[test]
fn every_example_configuration_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let read =
        |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)).unwrap();
    let said = |arguments: &[&str]| crate::support::run(arguments);
    // With the files that they name: none; so they fail at those, and not at a key or value of their own.
    let client = folder.path().join("client.toml");
    fs::write(&client, read("client.toml")).unwrap();
    said(&["--config", client.to_str().unwrap(), "put", client.to_str().unwrap()]).fails(2, &["disperser.json"]);
    let member = folder.path().join("member.toml");
    fs::write(&member, read("member.toml")).unwrap();
    said(&["--config", member.to_str().unwrap(), "member", "check"]).fails(2, &["password.txt"]);
    // And none is missing.
    let page = include_str!("../../../docs/cli.md");
    for (key, _) in toml_keys(&read("client.toml")) {
        assert!(
            page.contains(&format!("`{key}`")) || page.contains(&format!("`l1.{key}`")),
            "{key} is not in docs/cli.md"
        );
    }
    let operations = include_str!("../../../docs/operations.md");
    for (key, _) in toml_keys(&read("member.toml")) {
        assert!(operations.contains(&format!("{key}`")), "{key} is not in docs/operations.md");
    }
}

fn toml_keys(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().map(|line| line.trim_start_matches("# ")).filter_map(|line| line.split_once(" = "));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
