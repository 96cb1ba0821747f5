//! A member whose disk is smaller than what it keeps.

mod cloud;
mod mount;
mod s3;

use std::{fs, path::PathBuf};

use tonic::Code;

use super::*;
use crate::{
    archive::{Trouble, View},
    config::Archive,
    origin::Origin,
};
use cloud::{Cloud, Mood};
use mount::Mount;

/// A member with an archive in memory, or at a URL.
struct Away {
    world: World,
    folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    cloud: Arc<Cloud>,
    archive: Archive,
    /// By how much all is later than usual.
    later: u64,
    running: Option<Running>,
}

impl Away {
    /// One that keeps nothing on its disk that is in the archive.
    async fn start() -> Self {
        let archive = Archive { keep_local: Some(Duration::ZERO), ..Archive::at("file:///nowhere/at/all") };
        Self::with(archive).await
    }

    async fn with(archive: Archive) -> Self {
        Self::at(archive, 0).await
    }

    async fn at(archive: Archive, later: u64) -> Self {
        let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW + later));
        let mut away = Self { world, folder, clock, cloud: Cloud::new(), archive, later, running: None };
        away.up().await;
        away
    }

    fn config(&self) -> Config {
        let mut config = World::config(self.folder.path());
        config.policy.repair_delay = Duration::from_millis(300);
        config.archive = Some(self.archive.clone());
        config
    }

    async fn up(&mut self) {
        let running = self.world.member(self.config(), Arc::clone(&self.clock)).launch().await.expect("starts");
        if self.archive.url.contains("nowhere") {
            let archive = running.shared().attestor.archive.as_ref().expect("given");
            archive.set_bucket(Arc::clone(&self.cloud) as Arc<dyn object_store::ObjectStore>);
        }
        self.running = Some(running);
    }

    async fn down(&mut self) {
        self.running.take().expect("up").stop().await.expect("stops");
    }

    async fn again(&mut self) {
        self.down().await;
        self.up().await;
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("up")
    }

    fn view(&self) -> View {
        view(self.running(), &self.clock)
    }

    fn statement(&self, encoded: &EncodedBlob) -> Statement {
        let statement = self.world.statement(encoded);
        let whole_until = if statement.whole_until == 0 { 0 } else { statement.whole_until + self.later };
        Statement { whole_until, retain_until: statement.retain_until + self.later, ..statement }
    }

    async fn store(&self, encoded: &EncodedBlob) {
        Peer::connect(self.running()).await.store(&self.world, encoded, &self.statement(encoded)).await;
    }

    /// Waits until all is in the archive, and nothing on the disk.
    async fn until_away(&self) {
        until(|| {
            let view = self.view();
            view.waiting == 0 && view.objects > 0 && self.running().store().usage().bytes == 0
        })
        .await;
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn reads(&self, blobs: &[EncodedBlob]) {
        let peer = Peer::connect(self.running()).await;
        for encoded in blobs {
            assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("read"), shard(encoded));
            if encoded.blob().is_by_payload() {
                assert_eq!(peer.get_payload(encoded.id()).await.expect("whole"), **encoded.payload());
            }
            let told = peer.get_blob(encoded.id()).await.expect("known");
            self.world.verify(&self.statement(encoded), told.statements[0].attestation.as_ref().expect("signed"));
        }
    }
}

fn view(running: &Running, clock: &TestClock) -> View {
    running.shared().attestor.archive.as_ref().expect("given").view(clock.now())
}

fn blobs() -> Vec<EncodedBlob> {
    let cases = [(1, Dispersal::ByShard), (700_001, Dispersal::ByShard), (50_000, Dispersal::ByPayload)];
    (1..).zip(cases).map(|(seed, (length, dispersal))| coded(length, seed, dispersal)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_comes_to_the_archive_and_is_read_from_there_once_the_disk_has_let_it_go() {
    let bucket = tempfile::tempdir().expect("a folder");
    let url = format!("file://{}", bucket.path().display());
    let mut away = Away::with(Archive { keep_local: Some(Duration::ZERO), ..Archive::at(&url) }).await;
    let blobs = blobs();
    for encoded in &blobs {
        away.store(encoded).await;
    }
    away.until_away().await;
    let view = away.view();
    // Three shards, one whole payload.
    assert_eq!((view.objects, view.trouble), (4, None), "{view:?}");
    let bytes = blobs.iter().map(|encoded| shard(encoded).len() as u64).sum::<u64>() + 50_000;
    assert_eq!(view.bytes, bytes);
    away.reads(&blobs).await;
    for encoded in &blobs {
        away.store(encoded).await;
    }
    assert_eq!(away.running().store().usage().items, 3);
    away.again().await;
    until(|| away.running().store().usage().items == 3).await;
    assert_eq!((away.view().objects, away.view().bytes), (4, bytes), "counted at the start as before");
    away.reads(&blobs).await;
    assert_eq!(away.running().store().damaged(), 0);
    // Without it the member would not have what it signed.
    away.down().await;
    let without = Config { archive: None, ..away.config() };
    let refused = away.world.member(without, Arc::clone(&away.clock)).launch().await.expect_err("refused");
    assert!(refused.to_string().contains("archive"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_away_delays_no_signature_and_what_is_in_it_is_not_called_missing() {
    let mut away = Away::start().await;
    let (first, second) = (coded(40_000, 1, Dispersal::ByShard), coded(40_000, 2, Dispersal::ByShard));
    away.store(&first).await;
    away.until_away().await;
    for (mood, trouble) in [(Mood::Away, Trouble::Away), (Mood::Denies, Trouble::Denied)] {
        away.cloud.is(mood);
        // Stored and signed as ever.
        away.store(&second).await;
        away.again().await;
        until(|| away.view().trouble == Some(trouble)).await;
        assert_eq!((away.view().waiting, away.view().objects), (1, 1));
        let peer = Peer::connect(away.running()).await;
        let status = peer.get_shard(first.id(), index(&first)).await.expect_err("cannot be asked");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.metadata().contains_key("grpc-retry-pushback-ms"));
        // It is still promised, and said to be.
        assert!(peer.get_blob(first.id()).await.expect("known").statements[0].attestation.is_some());
        away.reads(std::slice::from_ref(&second)).await;
        assert_eq!(away.running().store().damaged(), 0);
        // What is sent again is stored here again.
        let page = away.running().metrics_page().await;
        assert!(page.contains(&format!("archive_trouble{{kind=\"{}\"}} 1", trouble.label())), "{page}");
    }
    away.store(&first).await;
    assert!(away.running().store().usage().bytes > 0, "the body was taken");
    away.cloud.is(Mood::Well);
    away.until_away().await;
    // What was asked while it refused may be answered after that.
    until(|| away.view().trouble.is_none()).await;
    away.reads(&[first, second]).await;
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_that_the_archive_does_not_take_stands_in_the_way_of_no_other() {
    let away = Away::start().await;
    let blobs: Vec<EncodedBlob> = (1..5).map(|seed| coded(40_000, seed, Dispersal::ByShard)).collect();
    away.cloud.poison(Some(hex::encode(blobs[0].id().as_bytes())));
    for (number, encoded) in blobs.iter().enumerate() {
        away.store(encoded).await;
        // One after the other, so that it is alone with each step.
        until(|| (away.view().objects, away.view().waiting) == (number as u64, 1)).await;
    }
    until(|| away.running().store().usage().bytes == shard(&blobs[0]).len() as u64).await;
    assert_eq!(away.view().trouble, Some(Trouble::Away), "and it is said");
    away.reads(&blobs).await;
    away.cloud.poison(None);
    away.until_away().await;
    until(|| away.view().trouble.is_none()).await;
    away.reads(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_let_go_that_was_not_read_back() {
    let away = Away::start().await;
    away.cloud.is(Mood::Forgets);
    let encoded = coded(40_000, 1, Dispersal::ByShard);
    // The marker is there before.
    away.cloud.is(Mood::Well);
    until(|| away.cloud.puts.load(Ordering::SeqCst) == 1).await;
    away.cloud.is(Mood::Forgets);
    away.store(&encoded).await;
    until(|| away.view().trouble == Some(Trouble::Other)).await;
    assert_eq!((away.view().objects, away.view().waiting), (0, 1));
    away.reads(std::slice::from_ref(&encoded)).await;
    assert!(away.running().store().usage().bytes > 0);
    away.cloud.is(Mood::Well);
    away.until_away().await;
    away.reads(&[encoded]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_or_flipped_is_never_served_and_storing_again_repairs_it() {
    let mut away = Away::start().await;
    // Others each time: what was read is still in memory.
    for (seed, case) in [(1, "gone"), (3, "flipped"), (5, "cut"), (7, "another's")] {
        let (encoded, other) = (coded(40_000, seed, Dispersal::ByShard), coded(40_000, seed + 1, Dispersal::ByShard));
        away.store(&encoded).await;
        away.store(&other).await;
        away.until_away().await;
        let name = |encoded: &EncodedBlob| {
            let id = hex::encode(encoded.id().as_bytes());
            format!("blobs/{}/{id}-{:03}", &id[..2], index(encoded))
        };
        let (mut bytes, others) = (away.cloud.read(&name(&encoded)).await, away.cloud.read(&name(&other)).await);
        match case {
            "gone" => away.cloud.remove(&name(&encoded)).await,
            "flipped" => {
                *bytes.last_mut().expect("some") ^= 1;
                away.cloud.write(&name(&encoded), bytes).await;
            }
            "cut" => {
                bytes.pop();
                away.cloud.write(&name(&encoded), bytes).await;
            }
            _ => away.cloud.write(&name(&encoded), others).await,
        }
        let peer = Peer::connect(away.running()).await;
        let status = peer.get_shard(encoded.id(), index(&encoded)).await.expect_err(case);
        assert_eq!(status.code(), Code::DataLoss, "{case}: {status}");
        assert_eq!(away.running().store().damaged(), 1, "{case}");
        assert!(peer.get_blob(encoded.id()).await.expect("known").statements[0].attestation.is_none(), "{case}");
        away.reads(std::slice::from_ref(&other)).await;
        away.store(&encoded).await;
        assert_eq!(away.running().store().damaged(), 0, "{case}");
        away.reads(std::slice::from_ref(&encoded)).await;
        // The first pass of the next start archives it again.
        away.again().await;
        away.until_away().await;
        away.reads(&[encoded, other]).await;
    }
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_the_disk_has_lost_is_read_from_the_archive() {
    let mut away = Away::with(Archive::at("file:///nowhere/at/all")).await;
    let encoded = coded(40_000, 1, Dispersal::ByShard);
    away.store(&encoded).await;
    until(|| away.view().objects == 1 && away.view().waiting == 0).await;
    away.down().await;
    assert!(!crate::fault::flip_bit(&away.data(), &encoded.id()).await.expect("flipped").is_empty());
    away.up().await;
    let peer = Peer::connect(away.running()).await;
    assert_eq!(peer.get_shard(encoded.id(), index(&encoded)).await.expect("from there"), shard(&encoded));
    // It is still to be repaired.
    assert_eq!(away.running().store().damaged(), 1);
    away.cloud.is(Mood::Away);
    away.again().await;
    let peer = Peer::connect(away.running()).await;
    let status = peer.get_shard(encoded.id(), index(&encoded)).await.expect_err("from nowhere");
    assert_eq!(status.code(), Code::DataLoss, "{status}");
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_another_store_or_an_empty_one_in_its_place_is_not_written_to_and_proves_nothing() {
    let mut away = Away::start().await;
    let encoded = coded(40_000, 1, Dispersal::ByShard);
    away.store(&encoded).await;
    away.until_away().await;
    let names = away.cloud.names().await;
    // Another member with the same prefix.
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = World::config(folder.path());
    config.policy.repair_delay = Duration::from_millis(300);
    config.archive = Some(away.archive.clone());
    let key = SecretKey::from_bytes(away.world.secrets[0].to_bytes().as_ref()).expect("a key");
    let other = Member::new(config, key, Arc::clone(&away.world.registry)).if_missing(IfMissing::Create);
    let other = other.with_clock(Arc::clone(&away.clock) as Arc<dyn Clock>).launch().await.expect("starts");
    let archive = other.shared().attestor.archive.as_ref().expect("given");
    archive.set_bucket(Arc::clone(&away.cloud) as Arc<dyn object_store::ObjectStore>);
    until(|| view(&other, &away.clock).trouble == Some(Trouble::Foreign)).await;
    other.stop().await.expect("stops");
    assert_eq!(away.cloud.names().await, names);
    // A bucket in which there is nothing.
    let full = std::mem::replace(&mut away.cloud, Cloud::new());
    away.again().await;
    until(|| away.view().trouble == Some(Trouble::Foreign)).await;
    let peer = Peer::connect(away.running()).await;
    let status = peer.get_shard(encoded.id(), index(&encoded)).await.expect_err("nobody knows");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(away.running().store().damaged(), 0);
    assert!(away.cloud.names().await.is_empty());
    away.cloud = full;
    away.again().await;
    away.reads(&[encoded]).await;
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_between_the_upload_and_its_record_costs_another_upload_and_nothing_else() {
    let mut away = Away::start().await;
    until(|| away.cloud.puts.load(Ordering::SeqCst) == 1).await;
    away.cloud.is(Mood::Away);
    let blobs = blobs();
    for encoded in &blobs {
        away.store(encoded).await;
    }
    away.down().await;
    // As the disk was before anything came to the archive.
    let before = tempfile::tempdir().expect("a folder");
    copy(&away.data(), &before.path().join("data"));
    away.cloud.is(Mood::Well);
    away.up().await;
    away.until_away().await;
    let names = away.cloud.names().await;
    away.down().await;
    fs::remove_dir_all(away.data()).expect("removed");
    copy(&before.path().join("data"), &away.data());
    away.up().await;
    away.until_away().await;
    assert_eq!(away.cloud.names().await, names);
    away.reads(&blobs).await;
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_removed_from_the_archive_after_its_grace_and_what_is_promised_longer_is_not() {
    const DAY: u64 = 24 * HOUR;
    let mut away = Away::start().await;
    let (short, long) = (coded(40_000, 1, Dispersal::ByShard), coded(40_000, 2, Dispersal::ByPayload));
    away.store(&short).await;
    away.store(&long).await;
    away.until_away().await;
    assert_eq!(away.cloud.names().await.len(), 3);
    // The whole payload's time is over first.
    away.clock.set(WHOLE + 2 * DAY);
    assert_eq!(away.running().drop_expired().await.expect("dropped").len(), 1);
    away.again().await;
    let cloud = Arc::clone(&away.cloud);
    until(|| futures::executor::block_on(cloud.names()).len() == 2).await;
    // One is renewed, and comes back from the archive for it.
    let statement = Statement { retain_until: RETAIN + 20 * DAY, ..away.world.statement(&short) };
    let peer = Peer::connect(away.running()).await;
    peer.store(&away.world, &short, &statement).await;
    away.until_away().await;
    away.clock.set(RETAIN + 2 * DAY);
    assert_eq!(away.running().drop_expired().await.expect("dropped").len(), 1);
    away.again().await;
    until(|| futures::executor::block_on(cloud.names()).len() == 1).await;
    away.clock.set(RETAIN + 3 * DAY);
    let peer = Peer::connect(away.running()).await;
    assert_eq!(peer.get_shard(short.id(), index(&short)).await.expect("renewed"), shard(&short));
    let status = peer.get_shard(long.id(), index(&long)).await.expect_err("over");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert_eq!((away.view().objects, away.running().store().damaged()), (1, 0));
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_is_recovered_from_a_listing_of_the_archive_and_takes_nothing_that_is_forged() {
    let mut away = Away::start().await;
    let blobs = blobs();
    for encoded in &blobs {
        away.store(encoded).await;
    }
    away.until_away().await;
    let listed = Peer::connect(away.running()).await.list().await.len();
    away.down().await;
    let stale = tempfile::tempdir().expect("a folder");
    copy(&away.data(), &stale.path().join("data"));
    fs::remove_dir_all(away.data()).expect("removed");

    // What somebody else put there: junk, an object under another's name, and a promise that this member has not signed.
    let names = away.cloud.names().await;
    let object = away.cloud.read(&names[0]).await;
    away.cloud.write("blobs/00/junk", vec![7; 100]).await;
    away.cloud.write("blobs/00/empty", Vec::new()).await;
    away.cloud.write(&names[0].replace("blobs/", "blobs/x"), object.clone()).await;
    let forged = coded(1000, 99, Dispersal::ByShard);
    let id = hex::encode(forged.id().as_bytes());
    let of_forged =
        crate::archive::forge(&away.world.statement(&forged), &away.world.disperser, &forged, index(&forged), SLOT);
    away.cloud.write(&format!("blobs/{}/{id}-{:03}", &id[..2], index(&forged)), of_forged).await;

    let member = away.world.member(away.config(), Arc::clone(&away.clock)).if_missing(IfMissing::Replace);
    let cloud = Arc::clone(&away.cloud) as Arc<dyn object_store::ObjectStore>;
    let found = member.restore_from(|archive| archive.set_bucket(cloud)).await.expect("read");
    assert_eq!((found.objects, found.passed_over), (4, 4));
    away.up().await;
    // What came to the archive is here; of the rest nobody knows yet.
    assert!(away.running().store().lost_at().is_some());
    away.reads(&blobs).await;
    let peer = Peer::connect(away.running()).await;
    assert_eq!(peer.list().await.len(), listed);
    let status = peer.get_blob(forged.id()).await.expect_err("not taken");
    assert_eq!(status.code(), Code::DataLoss, "{status}");
    assert_eq!((away.view().objects, away.view().waiting, away.running().store().usage().bytes), (4, 0, 0));
    // What is stored now is archived, and the store that was thought lost writes there no more.
    let more = coded(9000, 55, Dispersal::ByShard);
    away.store(&more).await;
    until(|| away.view().objects == 5).await;
    away.down().await;
    fs::remove_dir_all(away.data()).expect("removed");
    copy(&stale.path().join("data"), &away.data());
    away.up().await;
    until(|| away.view().trouble == Some(Trouble::Foreign)).await;
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_copy_has_on_its_disk_is_not_called_away_by_what_the_archive_has_for_longer() {
    // All that is archived stays on the disk as well.
    let mut away = Away::with(Archive::at("file:///nowhere/at/all")).await;
    let blobs = [
        coded(40_000, 1, Dispersal::ByShard),
        coded(50_000, 2, Dispersal::ByPayload),
        coded(9000, 3, Dispersal::ByShard),
    ];
    for encoded in &blobs {
        away.store(encoded).await;
    }
    until(|| (away.view().objects, away.view().waiting) == (4, 0)).await;
    away.down().await;
    let old = tempfile::tempdir().expect("a folder");
    copy(&away.data(), &old.path().join("data"));
    away.up().await;
    // All of it is promised for longer, and archived anew; the last one's copy rots in the old store.
    let longer = |encoded: &EncodedBlob, away: &Away| {
        let statement = away.statement(encoded);
        let whole_until = if statement.whole_until == 0 { 0 } else { statement.whole_until + 240 * HOUR };
        Statement { whole_until, retain_until: statement.retain_until + 480 * HOUR, ..statement }
    };
    for encoded in &blobs {
        let statement = longer(encoded, &away);
        Peer::connect(away.running()).await.store(&away.world, encoded, &statement).await;
    }
    until(|| (away.view().objects, away.view().waiting) == (4, 0)).await;
    let bytes = away.running().store().usage().bytes;
    away.down().await;
    fs::remove_dir_all(away.data()).expect("removed");
    copy(&old.path().join("data"), &away.data());
    assert!(!crate::fault::flip_bit(&away.data(), &blobs[2].id()).await.expect("flipped").is_empty());

    let member = away.world.member(away.config(), Arc::clone(&away.clock)).if_missing(IfMissing::Replace);
    let cloud = Arc::clone(&away.cloud) as Arc<dyn object_store::ObjectStore>;
    let found = member.restore_from(|archive| archive.set_bucket(cloud)).await.expect("read");
    assert_eq!((found.objects, found.passed_over), (4, 0));
    away.cloud.is(Mood::Away);
    away.up().await;
    // What is on the disk is read there, for as long as the longer promise, and signed for.
    let (peer, rotten) = (Peer::connect(away.running()).await, &blobs[2]);
    for encoded in &blobs[..2] {
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("on the disk"), shard(encoded));
        let told = peer.get_blob(encoded.id()).await.expect("known");
        assert_eq!(told.statements.len(), 2);
        away.world.verify(&longer(encoded, &away), told.statements[0].attestation.as_ref().expect("signed"));
    }
    assert_eq!(peer.get_payload(blobs[1].id()).await.expect("on the disk"), **blobs[1].payload());
    assert_eq!(away.running().store().usage().bytes, bytes - shard(rotten).len() as u64);
    // What is not there any more as it was is in the archive alone, which is away.
    let status = peer.get_shard(rotten.id(), index(rotten)).await.expect_err("cannot be asked");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    away.cloud.is(Mood::Well);
    until(|| (away.view().objects, away.view().waiting) == (4, 0)).await;
    assert_eq!(peer.get_shard(rotten.id(), index(rotten)).await.expect("from there"), shard(rotten));
    // The bucket of the old day takes nothing with it.
    away.clock.set(RETAIN + 48 * HOUR);
    assert!(!away.running().drop_expired().await.expect("dropped").is_empty());
    away.cloud.is(Mood::Away);
    for encoded in &blobs[..2] {
        let peer = Peer::connect(away.running()).await;
        assert_eq!(peer.get_shard(encoded.id(), index(encoded)).await.expect("kept"), shard(encoded));
    }
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_lets_go_of_the_oldest_and_gets_its_room_back() {
    let mut away = Away::with(Archive::at("file:///nowhere/at/all")).await;
    let blobs: Vec<EncodedBlob> = (0..24).map(|seed| coded(2_000_000, seed, Dispersal::ByShard)).collect();
    for encoded in &blobs {
        away.store(encoded).await;
    }
    until(|| away.view().waiting == 0 && away.view().objects == 24).await;
    let store = away.running().store();
    let all = store.usage().bytes;
    assert_eq!(all, 24 * shard(&blobs[0]).len() as u64, "as long as there is room all of it stays");
    let archive = Arc::clone(away.running().shared().attestor.archive.as_ref().expect("given"));
    crate::archive::press(&archive, all).await;
    let used = store.usage().bytes;
    assert!(used <= all / 100 * 70 && used > all / 2, "{used} of {all}");
    // The first ones are gone, and the last are here, in files by now.
    assert!(in_files(&away.data()) > all / 2);
    assert!(store.shard(&blobs[0].id(), index(&blobs[0])).is_err());
    assert!(store.shard(&blobs[23].id(), index(&blobs[23])).is_ok());
    away.reads(&blobs).await;
    crate::archive::press(&archive, 100).await;
    assert_eq!(store.usage().bytes, 0);
    until(|| in_files(&away.data()) == 0).await;
    away.again().await;
    assert_eq!(in_files(&away.data()), 0);
    away.reads(&blobs).await;
    away.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_full_of_files_lets_go_of_what_is_archived_however_little_of_it_is_held() {
    let away = Away::with(Archive::at("file:///nowhere/at/all")).await;
    let blobs = blobs();
    for encoded in &blobs {
        away.store(encoded).await;
    }
    until(|| (away.view().objects, away.view().waiting) == (4, 0)).await;
    let disk = &away.running().shared().attestor.disk;
    // Copies to later days, say. It is measured anew every ten seconds.
    let fill = || disk.set_files(disk.budget() + (2 << 30));
    fill();
    disk.admit(1 << 20, 0).expect_err("more files than there may be");
    until(|| {
        let held = away.running().store().usage().bytes > 0;
        if held {
            fill();
        }
        !held
    })
    .await;
    until(|| disk.admit(1 << 20, 0).is_ok()).await;
    away.reads(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_one_address_that_the_archive_leaves_unanswered_keep_no_other_waiting() {
    let away = Away::start().await;
    let (stuck, other) = (coded(40_000, 1, Dispersal::ByShard), coded(40_000, 2, Dispersal::ByShard));
    away.store(&stuck).await;
    away.store(&other).await;
    away.until_away().await;
    away.cloud.stall(Some(hex::encode(stuck.id().as_bytes())));
    let archive = Arc::clone(away.running().shared().attestor.archive.as_ref().expect("given"));
    let read = |from: u8, encoded: &EncodedBlob| {
        let (archive, id, index) = (Arc::clone(&archive), encoded.id(), index(encoded));
        let origin = Some(Origin::of([192, 0, 2, from].into()));
        Origin::scope(origin, async move { archive.read(&id, Some(index)).await })
    };
    let many: Vec<_> = (0..40).map(|_| tokio::spawn(read(1, &stuck))).collect();
    until(|| away.cloud.stalled.load(Ordering::SeqCst) == 4).await;
    for from in 2..8 {
        let read = tokio::time::timeout(Duration::from_secs(4), read(from, &other)).await.expect("at once");
        assert_eq!(read.expect("read"), shard(&other));
    }
    assert_eq!(away.cloud.stalled.load(Ordering::SeqCst), 4, "half of what is read at once");
    // They end by themselves, and nothing is called damaged for it.
    for read in many {
        let error = read.await.expect("joined").expect_err("nothing came");
        assert!(matches!(error, crate::store::Error::Archived { .. }), "{error}");
    }
    assert_eq!(away.running().store().damaged(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_folder_that_is_unmounted_under_a_running_member_is_not_its_mount_point() {
    let mut mount = Mount::new();
    let url = format!("file://{}", mount.at().display());
    let away = Away::with(Archive::at(&url)).await;
    let blobs: Vec<EncodedBlob> = (1..4).map(|seed| coded(40_000, seed, Dispersal::ByShard)).collect();
    let archive = Arc::clone(away.running().shared().attestor.archive.as_ref().expect("given"));
    // The first in the archive alone, the second in both, the third on its way.
    away.store(&blobs[0]).await;
    until(|| (away.view().objects, away.view().waiting) == (1, 0)).await;
    crate::archive::press(&archive, 100).await;
    away.store(&blobs[1]).await;
    until(|| (away.view().objects, away.view().waiting) == (2, 0)).await;
    mount.unmount();
    away.store(&blobs[2]).await;
    let disk = &away.running().shared().attestor.disk;
    disk.set_files(disk.budget() + (2 << 30));
    until(|| away.view().trouble == Some(Trouble::Foreign)).await;
    assert_eq!(fs::read_dir(mount.at()).expect("the mount point").count(), 0, "nothing is written there");
    let bytes = blobs[1..].iter().map(|encoded| shard(encoded).len() as u64).sum::<u64>();
    assert_eq!(away.running().store().usage().bytes, bytes, "nothing is let go");
    assert_eq!((away.view().objects, away.view().waiting, away.running().store().damaged()), (2, 1, 0));
    away.reads(&blobs[1..]).await;
    let peer = Peer::connect(away.running()).await;
    let status = peer.get_shard(blobs[0].id(), index(&blobs[0])).await.expect_err("cannot be asked");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // It is taken again without a restart.
    mount.mount();
    until(|| away.view().waiting == 0 && away.view().trouble.is_none()).await;
    assert_eq!((away.view().objects, away.running().store().damaged()), (3, 0));
    away.reads(&blobs).await;
}

/// Bytes of the files in which the database has shards and payloads.
fn in_files(data: &std::path::Path) -> u64 {
    let files = fs::read_dir(data.join("db")).expect("a folder").flatten();
    let blobs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "blob"));
    blobs.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
