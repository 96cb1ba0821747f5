//! What a target is worth: faults that were planted are found.

use super::*;
use crate::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// `length 2 | kind 1 | body`, as a decoder of it would be that trusts what it is told.
const SEEDS: [[u8; 8]; 2] = [[0, 5, 1, 1, 2, 3, 4, 5], [0, 5, 2, 9, 9, 9, 9, 9]];

fn found(check: impl Fn(&[u8])) -> Option<(String, Vec<u8>)> {
    let target = Target::new("planted", SEEDS);
    target.search(Run { limit: Duration::from_secs(60), cases: TEST_CASES.into(), seed: 7 }, &check)
}

#[test]
fn a_sound_decoder_passes() {
    let sound = |bytes: &[u8]| {
        let [high, low, 1..=2, body @ ..] = bytes else { return };
        if body.len() == usize::from(u16::from_be_bytes([*high, *low])) {
            assert_eq!(u16::try_from(body.len()).expect("two bytes"), u16::from_be_bytes([*high, *low]));
        }
    };
    assert_eq!(found(sound), None);
}

#[test]
fn a_length_that_is_believed_is_found_and_made_small() {
    let (reason, input) = found(|bytes| {
        let [high, low, 1..=2, body @ ..] = bytes else { return };
        let _body = &body[..usize::from(u16::from_be_bytes([*high, *low]))];
    })
    .expect("found");
    assert!(reason.contains("out of range"), "{reason}");
    // No change is left in it that the failure does not need.
    assert!(input.len() <= SEEDS[0].len(), "{input:?}");
}

#[test]
fn a_second_encoding_of_the_same_is_found() {
    let (_, input) = found(|bytes| {
        // The kind's upper bits are not looked at.
        let [_, _, kind, ..] = bytes else { return };
        if matches!(kind & 3, 1 | 2) {
            assert_eq!(kind & 3, *kind, "encodes to something else");
        }
    })
    .expect("found");
    assert!(input[2] > 3);
}

#[test]
fn memory_by_what_is_announced_is_found() {
    let (reason, _) = found(|bytes| {
        let [high, low, ..] = bytes else { return };
        let _room: Vec<u64> = Vec::with_capacity(usize::from(u16::from_be_bytes([*high, *low])));
    })
    .expect("found");
    assert!(reason.contains("bytes of memory"), "{reason}");
}

#[test]
fn a_run_can_be_had_again_by_its_seed() {
    let by = |seed| {
        let run = Run { limit: Duration::from_secs(60), cases: 50, seed };
        let inputs = std::cell::RefCell::new(Vec::new());
        assert_eq!(
            Target::new("again", SEEDS).search(run, &|bytes: &[u8]| inputs.borrow_mut().push(bytes.to_vec())),
            None
        );
        inputs.into_inner()
    };
    assert_eq!(by(1), by(1));
    assert_ne!(by(1), by(2));
    assert_eq!(by(1).len(), 50);
}
