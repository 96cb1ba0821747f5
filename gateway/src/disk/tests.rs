use holdfast_erasure::{Digest, Dispersal, Parameters, encode};

use super::*;

fn payload(length: usize, seed: u8, dispersal: Dispersal) -> Payload {
    let bytes: Bytes = (0..length).map(|at| (at as u64 * 31 % 251).to_le_bytes()[0] ^ seed).collect::<Vec<u8>>().into();
    let encoded = encode(Parameters::new(2, 4).expect("good"), bytes.clone(), dispersal).expect("encodes");
    Payload { blob: *encoded.blob(), bytes }
}

/// A cache in a folder, and its tasks.
struct World {
    folder: tempfile::TempDir,
    tasks: TaskTracker,
}

impl World {
    fn new() -> Self {
        let tasks = TaskTracker::new();
        tasks.close();
        Self { folder: tempfile::tempdir().expect("a temporary folder"), tasks }
    }

    fn open(&self, mib: u64) -> Disk {
        Disk::open(self.folder.path(), mib, self.tasks.clone(), Arc::new(Metrics::new())).expect("opens")
    }

    async fn write(&self, disk: &Disk, payload: &Payload) {
        disk.write(payload.clone());
        self.tasks.wait().await;
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("a folder").count()
    }
}

#[tokio::test]
async fn what_is_written_is_read_back_after_a_restart_too() {
    let world = World::new();
    let disk = world.open(16);
    let kept = [payload(100_001, 1, Dispersal::ByPayload), payload(77, 2, Dispersal::ByShard)];
    for payload in &kept {
        world.write(&disk, payload).await;
    }
    for disk in [disk, world.open(16)] {
        for payload in &kept {
            let read = disk.read(Place::of(&payload.blob)).await.expect("kept");
            assert_eq!((read.blob, read.bytes), (payload.blob, payload.bytes.clone()));
        }
        assert!(disk.read(Place::Digest(Digest::ZERO)).await.is_none());
    }
}

#[tokio::test]
async fn a_damaged_file_is_absent_and_removed() {
    let world = World::new();
    let payload = payload(5000, 3, Dispersal::ByShard);
    let path = world.folder.path().join(Place::of(&payload.blob).name());
    let disk = world.open(16);
    world.write(&disk, &payload).await;
    let whole = fs::read(&path).expect("written");
    for at in [0, 17, 40, whole.len() - 1] {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        fs::write(&path, &bent).expect("written");
        disk.index.insert(Place::of(&payload.blob), 1);
        assert!(disk.read(Place::of(&payload.blob)).await.is_none(), "byte {at}");
        assert!(!path.exists(), "byte {at}");
    }
    for length in [0, 10, 30, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("written");
        disk.index.insert(Place::of(&payload.blob), 1);
        assert!(disk.read(Place::of(&payload.blob)).await.is_none(), "{length} bytes");
    }
}

#[tokio::test]
async fn the_oldest_fall_out_and_the_folder_stays_within_its_bound() {
    let world = World::new();
    let disk = world.open(1);
    for seed in 0..20 {
        world.write(&disk, &payload(100_000, seed, Dispersal::ByPayload)).await;
        disk.index.run_pending_tasks();
    }
    let on_disk: u64 = fs::read_dir(world.folder.path())
        .expect("a folder")
        .map(|it| it.expect("a file").metadata().expect("read").len())
        .sum();
    assert!((500_000..=1 << 20).contains(&on_disk), "{on_disk}");
    assert!(disk.read(Place::of(&payload(100_000, 19, Dispersal::ByPayload).blob)).await.is_some());
    assert!(disk.read(Place::of(&payload(100_000, 0, Dispersal::ByPayload).blob)).await.is_none());
}

#[tokio::test]
async fn what_a_killed_gateway_had_begun_is_removed_and_other_files_are_left_alone() {
    let world = World::new();
    fs::write(world.folder.path().join("p-00.blob.17-0.new"), "half").expect("written");
    fs::write(world.folder.path().join("notes.txt"), "mine").expect("written");
    drop(world.open(1));
    assert_eq!(world.files(), 1);
    assert!(world.folder.path().join("notes.txt").exists());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_keeps_nothing_and_breaks_nothing() {
    let world = World::new();
    let disk = world.open(1);
    fs::remove_dir_all(world.folder.path()).expect("removed");
    let payload = payload(1000, 5, Dispersal::ByPayload);
    world.write(&disk, &payload).await;
    assert!(disk.is_paused());
    assert!(disk.read(Place::of(&payload.blob)).await.is_none());
}
