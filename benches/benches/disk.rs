//! A member's store alone, on the disk of the folder for temporary files (`TMPDIR`): what it writes for what it is given, how long
//! it takes until something is durable, reads beside writes, and what becomes of what has expired.
//!
//! `HOLDFAST_BENCH_EXPIRY_MB` sets how much expires (1000).

#[path = "disk/shards.rs"]
mod shards;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use holdfast_benches::{Table, percentile};
use holdfast_certificate::{CommitteeFile, DisperserKey, FileMember, FileNamespace, HOUR, Namespace, Registration};
use holdfast_committee::{
    Clock, Config, Member,
    store::{Identity, IfMissing, Store},
};
use holdfast_registry::{FileRegistry, Registry as _};
use shards::{Item, NOW, Shards, identity, key};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const DAY: u64 = 24 * HOUR;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    amplification(&runtime);
    group_commit(&runtime);
    reads_beside_writes(&runtime);
    expiry(&runtime);
}

fn others() -> Shards {
    Shards::new(identity().domain)
}

/// An empty store in a folder of its own.
fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("data"), &identity(), IfMissing::Create).expect("opens");
    (folder, store)
}

/// Stores with so many writers at once; the time of each until it was durable.
async fn write(store: &Store, items: Vec<Item>, writers: usize) -> Vec<Duration> {
    let timed = stream::iter(items).map(|item| async move {
        let started = Instant::now();
        store.hold(item.promise, item.digest, item.holding).await.expect("durable");
        started.elapsed()
    });
    timed.buffer_unordered(writers).collect().await
}

/// Bytes that this process has had written to a disk (proc(5)), without those of files that were deleted before.
fn written() -> u64 {
    let text = fs::read_to_string("/proc/self/io").expect("the kernel counts them");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("as proc(5) says");
        line.trim().parse::<u64>().expect("a number")
    };
    field("write_bytes:") - field("cancelled_write_bytes:")
}

/// Bytes that a folder takes on its disk.
fn occupied(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => occupied(&entry.path()),
        Ok(metadata) if entry.file_name() != "reserve" => metadata.blocks() * 512,
        _ => 0,
    });
    sizes.sum()
}

fn amplification(runtime: &Runtime) {
    let table = Table::begin(
        "Bytes written to the disk, and taken on it, for each byte of shards; 8 writers",
        &["shard", "shards", "written", "written when closed", "on the disk", "on the disk when closed"],
    );
    for (bytes, count) in [(500_usize, 20_000_usize), (50_000, 1500), (500_000, 200), (4_000_000, 40)] {
        let mut shards = others();
        let items: Vec<Item> = (0..count).map(|_| shards.next(bytes, 10)).collect();
        let stored = items.iter().map(|item| item.bytes).sum::<u64>() as f64;
        let (folder, store) = fresh();
        let before = written();
        runtime.block_on(write(&store, items, 8));
        let (at_once, takes) = ((written() - before) as f64, occupied(folder.path()) as f64);
        runtime.block_on(store.close()).expect("closes");
        let (closed, takes_closed) = ((written() - before) as f64, occupied(folder.path()) as f64);
        let figure = |bytes: f64| format!("{:.2}", bytes / stored);
        table.row(&[
            bytes.to_string(),
            count.to_string(),
            figure(at_once),
            figure(closed),
            figure(takes),
            figure(takes_closed),
        ]);
    }
}

fn group_commit(runtime: &Runtime) {
    let table = Table::begin(
        "Until a shard is durable, by how many are written at once",
        &["shard", "writers", "p50 ms", "p99 ms", "shards/s", "MB/s"],
    );
    for (bytes, count) in [(500, 1000), (50_000, 400)] {
        for writers in [1, 4, 16, 64] {
            let mut shards = others();
            let count = count * writers.min(8);
            let items: Vec<Item> = (0..count).map(|_| shards.next(bytes, 10)).collect();
            let (_folder, store) = fresh();
            let started = Instant::now();
            let mut times = runtime.block_on(write(&store, items, writers));
            let seconds = started.elapsed().as_secs_f64();
            runtime.block_on(store.close()).expect("closes");
            let per_second = count as f64 / seconds;
            table.row(&[
                bytes.to_string(),
                writers.to_string(),
                format!("{:.2}", percentile(&mut times, 0.5)),
                format!("{:.2}", percentile(&mut times, 0.99)),
                format!("{per_second:.0}"),
                format!("{:.1}", per_second * bytes as f64 / 1e6),
            ]);
        }
    }
}

/// Reads of shards of 50 kB, which are hashed as they are read; from memory, where the system keeps what was written.
fn reads_beside_writes(runtime: &Runtime) {
    const BYTES: usize = 50_000;
    const SPAN: Duration = Duration::from_secs(8);
    let mut shards = others();
    let items: Vec<Item> = (0..3000).map(|_| shards.next(BYTES, 10)).collect();
    let held: Vec<_> = items.iter().map(|item| (item.id, item.index)).collect();
    let (folder, store) = fresh();
    runtime.block_on(write(&store, items, 16));
    runtime.block_on(store.close()).expect("closes");
    drop(store);
    let store = Store::open(&folder.path().join("data"), &identity(), IfMissing::Refuse).expect("opens");
    let store = Arc::new(store);
    let read = |span: Duration| {
        let (mut times, started) = (Vec::new(), Instant::now());
        // Steps that meet every shard, in no order.
        let mut at = 0;
        while started.elapsed() < span {
            at = (at + 1237) % held.len();
            let (id, index) = &held[at];
            let began = Instant::now();
            let bytes = store.shard(id, *index).expect("read");
            times.push(began.elapsed());
            assert!(bytes.len() >= BYTES);
        }
        times
    };
    let table = Table::begin(
        "Reads of a shard of 50 kB, one after the other",
        &["beside them", "reads/s", "p50 ms", "p99 ms", "longest ms"],
    );
    let tell = |beside: String, mut times: Vec<Duration>| {
        table.row(&[
            beside,
            format!("{:.0}", times.len() as f64 / SPAN.as_secs_f64()),
            format!("{:.3}", percentile(&mut times, 0.5)),
            format!("{:.3}", percentile(&mut times, 0.99)),
            format!("{:.1}", percentile(&mut times, 1.0)),
        ]);
    };
    tell("nothing".to_owned(), read(SPAN));
    for bytes in [500, 500_000] {
        let (stop, stored) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writers: Vec<_> = (0..4)
            .map(|writer: u64| {
                let (store, stop, stored) = (Arc::clone(&store), Arc::clone(&stop), Arc::clone(&stored));
                runtime.spawn(async move {
                    let mut shards = others();
                    // Others than those of the other writers.
                    shards.skip((writer + 1) * 1_000_000 + bytes as u64 * 10_000_000);
                    while !stop.load(Ordering::SeqCst) {
                        let item = shards.next(bytes, 10);
                        store.hold(item.promise, item.digest, item.holding).await.expect("durable");
                        stored.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let times = read(SPAN);
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            runtime.block_on(writer).expect("no panic");
        }
        let rate = stored.load(Ordering::SeqCst) as f64 / SPAN.as_secs_f64();
        tell(format!("{rate:.0}/s of {} kB", bytes as f64 / 1e3), times);
    }
    runtime.block_on(store.close()).expect("closes");
}

/// A clock that is set, and seems to have gone there by itself.
#[derive(Debug)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn steady(&self) -> Duration {
        Duration::from_secs(self.now())
    }
}

/// A committee of which only this member runs.
fn registry() -> FileRegistry {
    let secrets = [key()].into_iter().chain((0..4).map(|child| key().derive_child(child)));
    let members = (0..).zip(secrets).map(|(slot, secret)| FileMember {
        slot,
        public_key: secret.public_key(),
        proof_of_possession: secret.prove_possession(&Registration::WITHOUT_L1),
        account: None,
        endpoint: format!("http://127.0.0.1:{}", 1 + slot),
        tls_pin: None,
    });
    let disperser = DisperserKey::from_bytes(&[9; 32]).expect("in range").address();
    let namespace = FileNamespace { id: Namespace::from([3; 32]), dispersers: vec![disperser], min_retention: HOUR };
    let file = CommitteeFile {
        chain_id: 0,
        registry: None,
        epoch: 1,
        original_shards: 2,
        total_shards: 5,
        threshold: 4,
        max_payload: 32 << 20,
        members: members.collect(),
        namespaces: vec![namespace],
    };
    FileRegistry::from_file(file).expect("a committee")
}

/// Days full of shards whose time is over.
fn expiry(runtime: &Runtime) {
    const DAYS: u64 = 40;
    const BYTES: usize = 500_000;
    let megabytes = std::env::var("HOLDFAST_BENCH_EXPIRY_MB").map_or(1000, |text| text.parse().expect("megabytes"));
    let count = megabytes * 1_000_000 / BYTES as u64;
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::in_folder(([127, 0, 0, 1], 0).into(), folder.path());
    config.policy.deletion_grace = Duration::from_secs(HOUR);
    let registry = Arc::new(registry());
    let identity = Identity { domain: registry.domain(), ..identity() };
    let store = Store::open(&config.data_dir, &identity, IfMissing::Create).expect("opens");
    let shards = Mutex::new(Shards::new(identity.domain));
    let next = |number: u64| shards.lock().expect("no panic").next(BYTES, 1 + number % DAYS);
    runtime.block_on(async {
        let held = stream::iter(0..count).map(|number| {
            let item = next(number);
            store.hold(item.promise, item.digest, item.holding)
        });
        held.buffer_unordered(8)
            .for_each(|held| {
                held.expect("durable");
                std::future::ready(())
            })
            .await;
        store.close().await.expect("closes");
    });
    drop(store);
    let full = occupied(&config.data_dir);
    let clock = Arc::new(SetClock(AtomicU64::new(NOW)));
    let member = Member::new(config.clone(), key(), registry).with_clock(clock.clone());
    let (dropped, took, left, settled) = runtime.block_on(async {
        let member = member.launch().await.expect("starts");
        clock.0.store(NOW + (DAYS + 5) * DAY, Ordering::SeqCst);
        let started = Instant::now();
        let dropped = member.drop_expired().await.expect("dropped");
        let (took, left) = (started.elapsed(), occupied(&config.data_dir));
        // Files are deleted behind it.
        let (mut smallest, mut since) = (left, Instant::now());
        while since.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = occupied(&config.data_dir);
            if now < smallest {
                (smallest, since) = (now, Instant::now());
            }
        }
        member.stop().await.expect("stops");
        (dropped.len(), took, left, smallest)
    });
    let table = Table::begin(
        "What has expired",
        &["shards", "days", "MB on the disk", "dropped in s", "MB right after", "MB settled"],
    );
    let mb = |bytes: u64| format!("{:.0}", bytes as f64 / 1e6);
    table.row(&[
        count.to_string(),
        dropped.to_string(),
        mb(full),
        format!("{:.2}", took.as_secs_f64()),
        mb(left),
        mb(settled),
    ]);
}
