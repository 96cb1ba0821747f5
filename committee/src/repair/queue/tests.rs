use holdfast_certificate::Namespace;
use holdfast_erasure::{Blob, Digest};
use proptest::prelude::*;

use super::*;

const PAUSE: Duration = Duration::from_secs(60);

fn want(number: u8) -> Want {
    let blob = Blob {
        payload_length: 100,
        payload_digest: Digest::ZERO,
        original_shards: 2,
        total_shards: 5,
        shards_root: Digest::from([number; 32]),
        fingerprints_hash: Digest::ZERO,
    };
    let statement =
        Statement { namespace: Namespace::from([1; 32]), epoch: 1, blob, whole_until: 0, retain_until: 1000 };
    let digest = StatementDigest::from_bytes(&[number; 32]).expect("32 bytes");
    Want { statement, digest, id: blob.id(), index: 0, bytes: 256, cause: Cause::Listed }
}

fn queue(of: &[(u8, &[u16])], from: Instant) -> Queue {
    let mut queue = Queue::default();
    for (number, known_to) in of {
        assert!(queue.add(want(*number), None, from));
        known_to.iter().for_each(|peer| assert!(queue.add(want(*number), Some(*peer), from)));
    }
    queue
}

fn order(queue: &mut Queue, now: Instant) -> Vec<u8> {
    std::iter::from_fn(|| queue.next(now)).map(|(want, _)| want.digest.as_bytes()[0]).collect()
}

#[test]
fn the_least_redundant_comes_first_and_what_is_learned_later_counts() {
    let now = Instant::now();
    let mut queue = queue(&[(1, &[1, 2, 3]), (2, &[1, 2]), (3, &[1, 2, 3, 4])], now);
    assert!(queue.next(now - Duration::from_secs(1)).is_none(), "a live upload has its time");
    assert_eq!(order(&mut queue, now), [2, 1, 3]);
}

#[test]
fn one_peer_that_makes_statements_up_does_not_take_all_turns() {
    let now = Instant::now();
    let mut queue = Queue::default();
    for number in 0..50 {
        queue.add(want(number), Some(7), now);
    }
    queue.add(want(100), Some(1), now);
    queue.add(want(100), Some(2), now);
    assert_eq!(order(&mut queue, now), [0, 1, 2, 3, 100]);
    queue.distrust(7);
    assert_eq!(queue.count().queued, 5, "what is under way ends by itself");
}

#[test]
fn not_asked_and_not_there_wait_differently_and_neither_stops_the_rest() {
    let now = Instant::now();
    let mut queue = queue(&[(1, &[1]), (2, &[1]), (3, &[1])], now);
    assert_eq!(order(&mut queue, now), [1, 2, 3]);
    queue.end(&want(1).digest, &Ending::Unanswered("silent".into()), now, PAUSE);
    queue.end(&want(2).digest, &Ending::Nowhere("denied".into()), now, PAUSE);
    queue.end(&want(3).digest, &Ending::Whole { bytes: 1 }, now, PAUSE);
    assert_eq!(queue.count(), Count { queued: 1, queued_bytes: 256, aside: 1 });
    assert_eq!(queue.due(), Some(now + PAUSE));
    assert_eq!(order(&mut queue, now + PAUSE), [1]);
    assert_eq!(order(&mut queue, now + 10 * PAUSE), [2]);
    for _ in 0..40 {
        queue.end(&want(2).digest, &Ending::Nowhere("denied".into()), now, PAUSE);
    }
    assert!(queue.next(now + LONGEST_ASIDE).is_some(), "it is never given up");
    queue.end(&want(1).digest, &Ending::Needless, now, PAUSE);
    queue.end(&want(2).digest, &Ending::Nowhere("denied".into()), now, PAUSE);
    queue.expire(999);
    assert_eq!(queue.count().aside, 1);
    queue.expire(1000);
    assert_eq!(queue.count(), Count::default());
}

#[test]
fn what_was_refused_is_not_looked_at_again_and_what_is_doubtful_has_its_tries() {
    let now = Instant::now();
    let mut queue = queue(&[(1, &[1]), (2, &[1])], now);
    order(&mut queue, now);
    queue.end(&want(1).digest, &Ending::Refused("not served".into()), now, PAUSE);
    assert!(queue.add(want(1), Some(1), now));
    for tried in 1..=DOUBTS {
        assert_eq!(queue.count().queued, 1, "{tried}");
        queue.end(&want(2).digest, &Ending::Doubtful("unknown namespace".into()), now, PAUSE);
    }
    assert_eq!(queue.count(), Count::default());
    assert_eq!(queue.offered, 0);
}

#[test]
fn strangers_certificates_take_a_bounded_part() {
    let now = Instant::now();
    let mut queue = Queue::default();
    let offered = |number: u16| {
        let mut want = want(0);
        want.digest = StatementDigest::from_bytes(&[number.to_be_bytes().as_slice(), &[0; 30]].concat()).expect("32");
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../../testdata/golden/certificate.json")).expect("JSON");
        let text = &golden["committees"][0]["statements"][0]["certificates"][0]["compact"];
        let bytes = hex::decode(&text.as_str().expect("hex")[2..]).expect("hex");
        want.cause = Cause::Offered(Box::new(Certificate::decode(&bytes).expect("a certificate")));
        want
    };
    let taken = (0..1000).filter(|number| queue.add(offered(*number), None, now)).count();
    assert_eq!(taken, MOST_OFFERED);
    assert!(queue.add(want(1), Some(1), now), "a list still has room");
    while let Some((want, _)) = queue.next(now) {
        queue.end(&want.digest, &Ending::Refused("false".into()), now, PAUSE);
    }
    assert!(queue.add(offered(2000), None, now));
}

#[test]
fn a_loss_is_made_good_when_nothing_that_was_listed_is_left() {
    let now = Instant::now();
    let mut queue = queue(&[(1, &[1]), (2, &[1])], now);
    let last = queue.last();
    queue.add(want(3), Some(1), now);
    assert!(!queue.is_settled(last));
    order(&mut queue, now);
    queue.end(&want(1).digest, &Ending::Refused("not ours".into()), now, PAUSE);
    assert!(!queue.is_settled(last));
    queue.end(&want(2).digest, &Ending::Nowhere("denied".into()), now, PAUSE);
    assert!(!queue.is_settled(last), "what is set aside is not here");
    queue.end(&want(2).digest, &Ending::Whole { bytes: 1 }, now, PAUSE);
    assert!(queue.is_settled(last), "what came later does not count");
}

proptest! {
    #[test]
    fn every_entry_is_in_one_place_whatever_happens(
        steps in proptest::collection::vec((0u8..8, 0u8..20, 0u16..4, 0u64..100), 0..300)
    ) {
        let start = Instant::now();
        let mut queue = Queue::default();
        let mut working = Vec::new();
        for (step, number, peer, seconds) in steps {
            let now = start + Duration::from_secs(seconds * 60);
            match step {
                0..=2 => { queue.add(want(number), Some(peer), now); }
                3 | 4 => working.extend(queue.next(now).map(|(want, _)| want.digest)),
                5 => queue.distrust(peer),
                6 => if let Some(digest) = working.pop() {
                    let endings = [
                        Ending::Whole { bytes: 1 },
                        Ending::Nowhere(String::new()),
                        Ending::Unanswered(String::new()),
                        Ending::Refused(String::new()),
                    ];
                    queue.end(&digest, &endings[usize::from(peer)], now, PAUSE);
                },
                _ => queue.expire(seconds * 20),
            }
            let places = queue.ready.len() + queue.waiting.len() + queue.working.len();
            prop_assert_eq!(places, queue.entries.len());
            prop_assert_eq!(queue.working.len(), working.len());
        }
    }
}

proptest! {
    /// What is counted as things come and go is what is there.
    #[test]
    fn the_count_is_that_of_what_is_there(steps in prop::collection::vec((0_u8..20, 0_u8..8), 1..200)) {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        let mut working = Vec::new();
        for (number, step) in steps {
            match step {
                0 | 1 => drop(queue.add(Want { bytes: u64::from(number) * 100, ..want(number) }, Some(number.into()), now)),
                2 => queue.expire(if number == 0 { 1000 } else { 999 }),
                3 => queue.distrust(number.into()),
                _ => {
                    now += PAUSE * 400;
                    working.extend(queue.next(now).map(|(want, _)| want.digest));
                    let ending = match step {
                        4 => Ending::Whole { bytes: 1 },
                        5 => Ending::Nowhere(String::new()),
                        6 => Ending::Unanswered(String::new()),
                        _ => Ending::Refused(String::new()),
                    };
                    if let Some(digest) = working.pop() {
                        queue.end(&digest, &ending, now, PAUSE);
                    }
                }
            }
            let queued = || queue.entries.values().filter(|entry| !entry.aside);
            let aside = queue.entries.len() - queued().count();
            let bytes = queued().map(|entry| entry.want.bytes).sum();
            let there = Count { queued: queued().count() as u64, queued_bytes: bytes, aside: aside as u64 };
            prop_assert_eq!(queue.count(), there);
        }
    }
}

#[test]
fn a_certificate_on_l1_outweighs_what_a_liar_had_refused_or_listed() {
    let now = Instant::now();
    let golden = include_str!("../../../../testdata/golden/certificate.json");
    let encoded = holdfast_fuzz::golden(golden, "compact");
    let certificate = encoded.iter().find_map(|bytes| Certificate::decode(bytes).ok()).expect("a good one");
    let published = |number: u8| Want { cause: Cause::Published(Box::new(certificate)), ..want(number) };
    let later = now + 2 * LONGEST_PAUSE;
    // Refused before it was known.
    let mut queue = queue(&[(1, &[7])], now);
    let (first, _) = queue.next(now).expect("one");
    queue.end(&first.digest, &Ending::Refused("no ground".to_owned()), now, PAUSE);
    assert!(queue.add(want(1), Some(7), now) && !queue.has(&first.digest));
    assert!(queue.add(published(1), None, now) && queue.has(&first.digest));
    // Refused while it became known: it is tried again, with it.
    assert!(queue.add(want(2), Some(7), now));
    let second = want(2).digest;
    assert_eq!(order(&mut queue, now).len(), 2);
    assert!(queue.add(published(2), None, now));
    queue.end(&second, &Ending::Refused("no ground".to_owned()), now, PAUSE);
    let again = std::iter::from_fn(|| queue.next(later)).find(|(want, _)| want.digest == second);
    assert!(matches!(again.expect("waits").0.cause, Cause::Published(_)));
    // Its liar is found out: what L1 has stays.
    assert!(queue.add(want(3), Some(7), now) && queue.add(published(3), None, now));
    queue.distrust(7);
    assert!(queue.has(&want(3).digest));
    queue.end(&second, &Ending::Refused("not to be kept here".to_owned()), later, PAUSE);
    assert!(!queue.has(&second));
}
