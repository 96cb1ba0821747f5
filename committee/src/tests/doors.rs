//! What strangers do from outside, and that it stops nobody else: each bound with its figure, and beside each attack an
//! honest put and an honest get. Strangers come from addresses of their own, in 127.0.0.0/8.

mod connections;
mod frames;
mod memory;
pub(super) mod raw;
mod stop;
mod tls;

use std::time::Duration;

use super::*;

/// Where strangers come from; honest peers come from 127.0.0.1.
const STRANGER: u8 = 66;
/// How long an honest put or get may take beside an attack.
const HONEST: Duration = Duration::from_secs(5);

/// A member with a blob that strangers know of.
struct Besieged {
    world: World,
    member: Running,
    known: EncodedBlob,
    honest: Peer,
    next: std::sync::atomic::AtomicU8,
    _folder: tempfile::TempDir,
}

impl Besieged {
    /// With a known blob of `length` bytes.
    async fn start(length: usize, change: impl FnOnce(&mut Config)) -> Self {
        let (world, folder) = (World::new(), tempfile::tempdir().expect("a folder"));
        let mut config = World::config(folder.path());
        change(&mut config);
        let member = world.member(config, TestClock::at(NOW)).launch().await.expect("starts");
        let honest = Peer::connect(&member).await;
        let known = coded(length, 0, Dispersal::ByShard);
        honest.store(&world, &known, &world.statement(&known)).await;
        Self { world, member, known, honest, next: 1.into(), _folder: folder }
    }

    /// An honest put and an honest get, of the known blob and of a byte, from an address with and one without a history.
    async fn still_serves(&self, beside: &str) {
        let late = |what: &str| format!("{what} beside {beside} takes longer than {HONEST:?}");
        let small = coded(1, self.next.fetch_add(1, Ordering::SeqCst), Dispersal::ByShard);
        let statement = self.world.statement(&small);
        let put = self.honest.store(&self.world, &small, &statement);
        tokio::time::timeout(HONEST, put).await.unwrap_or_else(|_| panic!("{}", late("a put")));
        let reader = Peer::connect_from(&self.member, 2).await;
        for encoded in [&small, &self.known] {
            let get = reader.get_shard(encoded.id(), index(encoded));
            let read = tokio::time::timeout(HONEST, get).await.unwrap_or_else(|_| panic!("{}", late("a get")));
            assert_eq!(read.unwrap_or_else(|status| panic!("a get beside {beside}: {status}")), shard(encoded));
        }
    }

    fn get_shard(&self) -> v1::GetShardRequest {
        let blob_id = Bytes::copy_from_slice(self.known.id().as_bytes());
        v1::GetShardRequest { blob_id, shard_index: index(&self.known).into() }
    }

    async fn end(self) {
        let started = std::time::Instant::now();
        self.member.stop().await.expect("stops");
        assert!(started.elapsed() < Duration::from_secs(5), "the stop took {:?}", started.elapsed());
    }
}
