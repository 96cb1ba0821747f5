use holdfast_certificate::{CommitteeFile, FileMember, HOUR, Namespace, Registration, SecretKey, Statement};
use holdfast_erasure::{Blob, Digest};
use holdfast_registry::{FileRegistry, Registry as _};

use super::*;

/// A committee of two, and what is given as certificates of it: number `n` is of blob `n`. Nothing here looks into them.
struct World {
    epoch: Arc<EpochRecord>,
}

impl World {
    fn new() -> Self {
        let master = SecretKey::derive_master(&[7; 32]).expect("a seed");
        let secrets: Vec<SecretKey> = (0..2).map(|index| master.derive_child(index)).collect();
        let member = |(slot, secret): (u16, &SecretKey)| FileMember {
            slot,
            public_key: secret.public_key(),
            proof_of_possession: secret.prove_possession(&Registration::WITHOUT_L1),
            account: None,
            endpoint: format!("http://127.0.0.1:{}", 7000 + slot),
            tls_pin: None,
        };
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 1,
            original_shards: 1,
            total_shards: 2,
            threshold: 2,
            max_payload: 1 << 20,
            members: (0..).zip(&secrets).map(member).collect(),
            namespaces: Vec::new(),
        };
        let registry = FileRegistry::from_file(file).expect("a committee");
        let epoch = futures::executor::block_on(registry.epoch(1)).expect("the epoch");
        Self { epoch }
    }

    /// The certificate of blob `number`, with bytes that differ by `version`, given by origin `from`.
    fn unverified(&self, number: u32, version: u8, from: u8) -> Unverified {
        let blob = Blob {
            payload_length: 1 + number,
            payload_digest: Digest::ZERO,
            original_shards: 1,
            total_shards: 2,
            shards_root: Digest::ZERO,
            fingerprints_hash: Digest::ZERO,
        };
        let namespace = Namespace::from([1; 32]);
        let statement = Statement { namespace, epoch: 1, blob, whole_until: 0, retain_until: HOUR };
        let committee = &self.epoch.committee;
        let digest = statement.digest(committee.domain());
        let bytes = [digest.as_bytes().as_slice(), &[version]].concat();
        Unverified {
            digest,
            id: blob.id(),
            bytes: bytes.into(),
            epoch: Arc::clone(&self.epoch),
            origin: Some(origin(from)),
        }
    }
}

fn origin(last: u8) -> Origin {
    Origin::of([192, 0, 2, last].into())
}

fn batch(next: Next) -> (Option<Origin>, Batch) {
    match next {
        Next::Batch(origin, batch) => (origin, batch),
        other => panic!("expected a batch, got {other:?}"),
    }
}

#[test]
fn a_line_is_verified_when_it_is_long_or_old_enough() {
    let (world, start) = (World::new(), Instant::now());
    let mut waiting = Waiting::default();
    assert!(matches!(waiting.next(start, false), Next::Nothing));
    assert!(waiting.add(world.unverified(0, 0, 1), start).expect("room"));
    assert!(matches!(waiting.next(start, false), Next::At(at) if at == start + PATIENCE));
    let (of, old) = batch(waiting.next(start + PATIENCE, false));
    assert_eq!((of, old.all.len()), (Some(origin(1)), 1));
    waiting.end(&old, true, start + PATIENCE);
    for number in 0..=BATCH {
        let wakes = waiting.add(world.unverified(u32::try_from(number).expect("few"), 0, 1), start).expect("room");
        assert_eq!(wakes, number == 0 || number + 1 == BATCH, "{number}");
    }
    let (_, long) = batch(waiting.next(start, false));
    assert_eq!(long.all.len(), BATCH);
    assert!(matches!(waiting.next(start + PATIENCE, false), Next::Nothing), "one batch of a line at a time");
    waiting.end(&long, true, start);
    assert!(matches!(waiting.next(start, false), Next::At(_)));
    let (_, rest) = batch(waiting.next(start, true));
    assert_eq!(rest.all.len(), 1);
    waiting.end(&rest, true, start);
    assert!(matches!(waiting.next(start, true), Next::Nothing) && waiting.lines.is_empty() && waiting.of.is_empty());
}

#[test]
fn an_origin_that_gives_thousands_has_its_own_line_and_leaves_others_theirs() {
    let (world, now) = (World::new(), Instant::now());
    let mut waiting = Waiting::default();
    let flooded = (0..5000).filter(|number| waiting.add(world.unverified(*number, 0, 1), now).is_ok()).count();
    assert_eq!(flooded, LINE);
    waiting.add(world.unverified(9000, 0, 2), now).expect("another's line");
    let mut first: Vec<Option<Origin>> = (0..2).map(|_| batch(waiting.next(now, true)).0).collect();
    first.sort();
    assert_eq!(first, [Some(origin(1)), Some(origin(2))], "neither waits for the other");
    // Many origins together are bounded too.
    let mut waiting = Waiting::default();
    let all = (0..20).flat_map(|from| (0..1024).map(move |number| (1024 * u32::from(from) + number, from)));
    let kept = all.filter(|(number, from)| waiting.add(world.unverified(*number, 0, *from), now).is_ok()).count();
    assert_eq!(kept, MOST);
}

#[test]
fn false_ones_do_not_keep_the_true_one_of_a_statement_out_and_the_same_one_waits_once() {
    let (world, now) = (World::new(), Instant::now());
    let mut waiting = Waiting::default();
    for version in [0, 0, 1, 1, 0] {
        waiting.add(world.unverified(7, version, 1), now).expect("room, or there");
    }
    assert_eq!(waiting.count, MOST_OF_ONE);
    waiting.add(world.unverified(7, 2, 2), now).expect_err("to be verified at once, not thrown away");
    let of = waiting.take_of(&[world.unverified(7, 0, 1).id], BATCH);
    assert_eq!(of.all.len(), MOST_OF_ONE);
    assert!(waiting.is_busy_with(&[of.all[0].id]));
    waiting.end(&of, true, now);
    assert!(!waiting.is_busy_with(&[of.all[0].id]));
    assert!(matches!(waiting.next(now, true), Next::Nothing), "its place in the line is empty");
    waiting.add(world.unverified(7, 2, 2), now).expect("room");
}

#[test]
fn what_was_not_verified_after_all_waits_again_and_first() {
    let (world, start) = (World::new(), Instant::now() + PATIENCE);
    let mut waiting = Waiting::default();
    for number in 0..3 {
        waiting.add(world.unverified(number, 0, 1), start).expect("room");
    }
    let (_, taken) = batch(waiting.next(start, true));
    waiting.add(world.unverified(3, 0, 1), start).expect("room");
    waiting.end(&taken, false, start);
    let (_, again) = batch(waiting.next(start, false));
    let expected: Vec<BlobId> = (0..4).map(|number| world.unverified(number, 0, 1).id).collect();
    let got: Vec<BlobId> = again.all.iter().map(|unverified| unverified.id).collect();
    assert_eq!(got, expected);
}

#[test]
fn who_has_given_a_false_one_has_each_verified_as_it_comes_for_a_time() {
    let (world, now) = (World::new(), Instant::now());
    let mut waiting = Waiting::default();
    waiting.distrust(Some(origin(1)), now);
    waiting.add(world.unverified(1, 0, 1), now).expect_err("verified at once");
    waiting.add(world.unverified(1, 0, 2), now).expect("another");
    waiting.add(world.unverified(2, 0, 1), now + DISTRUST).expect("forgiven");
    for last in 0..=255 {
        for third in 0..5 {
            waiting.distrust(Some(Origin::of([198, 51, third, last].into())), now + DISTRUST);
        }
    }
    assert_eq!(waiting.distrusted.len(), DISTRUSTED);
}
