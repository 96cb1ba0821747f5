//! What a client takes of memory for a payload of 32 MiB: a process of its own, whose committee of five (t = 4, k = 2) is in another.
//! What was resident at most, by the kernel's count, from before the payload was made.

use std::{fs, path::Path, process::Command, sync::Arc};

use holdfast_benches::{Table, payload};
use holdfast_certificate::{CommitteeFile, DisperserKey};
use holdfast_client::{Client, DisperseOptions, RetrieveOptions};
use holdfast_registry::FileRegistry;
use holdfast_testing::{Committee, Setup};
use tokio::runtime::Runtime;

const LENGTH: usize = 32 << 20;
/// Tells this program to be the client.
const CLIENT: &str = "--client-of";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, file, key, what] = arguments.as_slice()
        && flag == CLIENT
    {
        return client(Path::new(file), key, what);
    }
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let setup = Setup::of(5, 4, 2).settings(|config| config.policy.namespace_quota_gib_days = 1 << 40);
        let committee = Committee::start_with(setup).await.expect("the members start");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("committee.json");
        fs::write(&file, committee.file().to_json()).expect("written");
        let key = hex::encode(committee.disperser().to_bytes().as_ref());
        let table = Table::begin(
            "Memory of a client for a payload of 32 MiB, beside what it had before",
            &["what", "before MiB", "at most MiB", "times the payload"],
        );
        for what in ["by shard", "by payload", "read"] {
            let (file, key) = (file.clone(), key.clone());
            let ran = tokio::task::spawn_blocking(move || {
                let itself = std::env::current_exe().expect("this program");
                Command::new(itself).arg(CLIENT).arg(file).args([&key, what]).output().expect("starts")
            });
            let output = ran.await.expect("no panic");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            let figures: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            let [before, most] = figures[..] else { panic!("{text}") };
            let mib = |kib: f64| format!("{:.1}", kib / 1024.0);
            let times = (most - before) * 1024.0 / LENGTH as f64;
            table.row(&[what.to_owned(), mib(before), mib(most), format!("{times:.2}")]);
        }
        committee.close().await.expect("the members stop");
    });
}

/// Stores or reads one payload, and prints what was resident before, and at most, in KiB.
fn client(file: &Path, key: &str, what: &str) {
    let file = CommitteeFile::parse(&fs::read_to_string(file).expect("read")).expect("a committee");
    let namespace = file.namespaces[0].id;
    let registry = Arc::new(FileRegistry::from_file(file).expect("a committee"));
    let key: [u8; 32] = hex::decode(key).expect("hex").try_into().expect("32 bytes");
    let key = DisperserKey::from_bytes(&key).expect("a key");
    Runtime::new().expect("a runtime").block_on(async {
        let client = Client::builder().registry(registry).namespace(namespace).disperser(key);
        let client = client.build().expect("a client");
        // Connections are made before anything is measured.
        let mut number = u64::from(std::process::id()) << 32;
        let small = payload(1000, &mut number);
        client.disperse(small, DisperseOptions::by_shard()).await.expect("a certificate");
        client.drain().await;
        let options = if what == "by payload" { DisperseOptions::by_payload() } else { DisperseOptions::by_shard() };
        let stored = match what {
            "read" => {
                let put = client.disperse(payload(LENGTH, &mut number), options).await.expect("a certificate");
                client.drain().await;
                Some(put.certificate)
            }
            _ => None,
        };
        let before = reset();
        match stored {
            Some(certificate) => {
                let read = client.retrieve(&certificate, RetrieveOptions::default()).await.expect("a payload");
                assert_eq!(read.payload.len(), LENGTH);
            }
            None => {
                client.disperse(payload(LENGTH, &mut number), options).await.expect("a certificate");
                client.drain().await;
            }
        }
        println!("{before} {}", status("VmHWM:"));
        client.close().await;
    });
}

/// Forgets what was resident at most until now (proc(5), `clear_refs`), and says what is.
fn reset() -> u64 {
    fs::write("/proc/self/clear_refs", "5").expect("the kernel forgets it");
    status("VmRSS:")
}

fn status(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("read");
    let line = text.lines().find_map(|line| line.strip_prefix(field)).expect("as proc(5) says");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}
