//! Reading from members that lie: what they send is refused, and they are named.

use std::sync::atomic::Ordering;

use holdfast_client::{Code, Dispersal, DisperseOptions, Error, FailureReason, Fault, Reference, RetrieveOptions, Way};

use crate::support::{Lie, payload, stored, stored_for_the_patient};

#[tokio::test]
async fn members_with_a_wrong_shard_are_named_and_the_data_is_read() {
    type Expected = fn(&Fault) -> bool;
    let cases: [(Lie, Expected); 5] = [
        (Lie::BitFlip, |fault| matches!(fault, Fault::WrongShard(_))),
        (Lie::OtherShard, |fault| matches!(fault, Fault::WrongShard(_))),
        (Lie::Truncate, |fault| matches!(fault, Fault::Truncated { got, expected } if *got == expected / 2)),
        (Lie::EmptyChunks, |fault| matches!(fault, Fault::BadChunk { got: 0, .. })),
        (Lie::Damaged, |fault| matches!(fault, Fault::Damaged { message } if message == "checksum mismatch")),
    ];
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    for (lie, expected) in cases {
        let liars = stored.originals();
        liars.iter().for_each(|slot| stored.committee.lie(*slot, lie));
        let read = stored.reads_well().await;
        let mut named: Vec<u16> = read.faults.iter().map(|fault| fault.slot).collect();
        named.sort_unstable();
        let mut all = liars.clone();
        all.sort_unstable();
        assert_eq!(named, all, "{lie:?}");
        assert!(read.faults.iter().all(|fault| expected(&fault.reason)), "{lie:?}: {:?}", read.faults);
        assert!(read.from.iter().all(|slot| !liars.contains(slot)));
    }
}

#[tokio::test]
async fn an_audit_names_every_faulty_member_even_those_not_needed() {
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    let parameters = stored.parameters();
    let root = stored.certificate.statement.blob.shards_root;
    let last = parameters.slot_of_shard(parameters.index(6).unwrap(), &root);
    let before = parameters.slot_of_shard(parameters.index(5).unwrap(), &root);
    stored.committee.lie(last, Lie::BitFlip);
    stored.committee.lie(before, Lie::Damaged);
    assert!(stored.read().await.unwrap().faults.is_empty(), "nobody asked them");
    let options = RetrieveOptions::default().audit();
    let read = stored.client.retrieve(&stored.certificate, options).await.unwrap();
    assert_eq!(read.payload, stored.payload);
    let mut named: Vec<u16> = read.faults.iter().map(|fault| fault.slot).collect();
    named.sort_unstable();
    let mut both = vec![last, before];
    both.sort_unstable();
    assert_eq!(named, both);
}

#[tokio::test]
async fn an_overlong_stream_is_cut_at_once() {
    for dispersal in [Dispersal::ByShard, Dispersal::ByPayload] {
        let stored = stored(dispersal).await;
        let liars = stored.originals();
        liars.iter().for_each(|slot| stored.committee.lie(*slot, Lie::Endless));
        let mut named = Vec::new();
        // By payload any member may be asked first: read until each was.
        for _ in 0..7 {
            let read = stored.reads_well().await;
            for fault in read.faults {
                assert!(matches!(fault.reason, Fault::OverLong { .. }), "{fault}");
                named.push(fault.slot);
            }
        }
        for slot in liars {
            assert!(named.contains(&slot), "{dispersal:?}");
            // What was sent beyond is bounded by the HTTP/2 windows, for each of the reads.
            let poured = stored.committee.members[usize::from(slot)].poured.load(Ordering::Relaxed);
            assert!(poured < 14 * (8 << 20), "{poured} bytes");
        }
    }
}

#[tokio::test]
async fn a_payload_with_a_bit_changed_is_refused_by_its_recomputed_id() {
    let stored = stored(Dispersal::ByPayload).await;
    for slot in 0..6 {
        stored.committee.lie(slot, Lie::BitFlip);
    }
    let read = stored.reads_well().await;
    assert_eq!((read.from, read.way), (vec![6], Way::Whole));
    assert!(read.faults.iter().all(|fault| matches!(fault.reason, Fault::WrongPayload { got } if got != stored.id)));
}

#[tokio::test]
async fn the_commitment_of_another_blob_is_refused_and_its_sender_named() {
    let stored = stored(Dispersal::ByShard).await;
    stored.client.disperse(payload(999), DisperseOptions::default()).await.unwrap();
    stored.client.drain().await;
    for lie in [Lie::OtherCommitment, Lie::WrongRoots] {
        for slot in 0..6 {
            stored.committee.lie(slot, lie);
        }
        let read = stored.reads_well().await;
        assert!(!read.faults.is_empty());
        for fault in &read.faults {
            match lie {
                Lie::OtherCommitment => assert!(matches!(fault.reason, Fault::WrongCommitment { .. }), "{fault}"),
                _ => assert!(matches!(fault.reason, Fault::Malformed(_)), "{fault}"),
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_with_one_bit_changed_reads_nothing() {
    let stored = stored(Dispersal::ByShard).await;
    let good = stored.certificate.encode();
    let mut refused = 0;
    for byte in [40, 60, 100, good.len() - 60, good.len() - 1] {
        let mut changed = good.clone();
        changed[byte] ^= 1;
        let Ok(reference) = hex::encode(&changed).parse::<Reference>() else { continue };
        let error = stored.client.retrieve(reference, RetrieveOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::Certificate(_) | Error::Registry(_)), "{error}");
        refused += 1;
    }
    assert!(refused >= 2, "most changes still decode");
    let read = stored.client.retrieve(hex::encode(&good).parse::<Reference>().unwrap(), RetrieveOptions::default());
    assert_eq!(read.await.unwrap().payload, stored.payload);
}

/// It is verified while its blob is fetched: whatever comes of that, neither a payload nor a word against those that are said to
/// have signed gets out.
#[tokio::test]
async fn a_certificate_under_anothers_signatures_gives_nothing_of_a_blob_that_is_there() {
    let stored = stored(Dispersal::ByShard).await;
    let other = stored.client.disperse(payload(999), DisperseOptions::default()).await.unwrap();
    stored.client.drain().await;
    let (mut forged, genuine) = (stored.certificate.encode(), other.certificate.encode());
    let signature = forged.len() - 48;
    forged[signature..].copy_from_slice(&genuine[signature..]);
    let reference: Reference = hex::encode(&forged).parse().unwrap();
    for lie in [Lie::None, Lie::Denies, Lie::Silent] {
        for slot in 0..7 {
            stored.committee.lie(slot, lie);
        }
        for _ in 0..20 {
            let error = stored.client.retrieve(reference.clone(), RetrieveOptions::default()).await.unwrap_err();
            assert!(matches!(error, Error::Certificate(_)), "{lie:?}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_of_many_empty_parts_is_refused_by_its_size() {
    let stored = stored_for_the_patient(Dispersal::ByShard).await;
    for slot in 0..6 {
        stored.committee.lie(slot, Lie::Bloated);
    }
    let mut refused = 0;
    for _ in 0..7 {
        let read = stored.read_by_id().await.unwrap();
        assert_eq!(read.payload, stored.payload);
        let by_size =
            |reason: &FailureReason| matches!(reason, FailureReason::Refused { code, .. } if *code == Code::OutOfRange);
        refused += read.failures.iter().filter(|failure| by_size(&failure.reason)).count();
    }
    assert!(refused > 0, "no such answer was asked for");
}

#[tokio::test]
async fn shards_that_come_by_the_byte_hold_up_no_read() {
    let stored = stored(Dispersal::ByShard).await;
    let drippers = stored.originals();
    drippers.iter().for_each(|slot| stored.committee.lie(*slot, Lie::Drip));
    let started = std::time::Instant::now();
    let read = stored.reads_well().await;
    // At this rate a shard takes two hours.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(read.from.iter().all(|slot| !drippers.contains(slot)), "{:?}", read.from);
}

#[tokio::test]
async fn what_a_liar_says_in_refusing_is_bounded_and_steers_no_terminal() {
    for lie in [Lie::Shouts, Lie::Giant] {
        let stored = stored_for_the_patient(Dispersal::ByShard).await;
        let liars = stored.originals();
        liars.iter().for_each(|slot| stored.committee.lie(*slot, lie));
        let read = stored.reads_well().await;
        let said: Vec<_> = read.failures.iter().filter(|failure| liars.contains(&failure.slot)).collect();
        assert!(!said.is_empty(), "{lie:?}: {:?}", read.failures);
        for failure in said {
            let text = failure.to_string();
            assert!(text.len() < 1024, "{lie:?}: {} bytes", text.len());
            assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{lie:?}: {text:?}");
        }
    }
}
