//! What each rule of `verifyCheckpoint` answers, and what `publishCheckpoint` keeps.

use alloy::primitives::{B256, U256};
use holdfast_certificate::HOUR;
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::START,
    checkpoint::{Checkpoint, HEAD_BYTES, SIGNATURE_OFFSET, blob_ids, sign},
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, LARGEST, MIN_RETENTION, SEVEN, TWENTY, bitmap, encode_l1, keys_of,
        propose,
    },
};

#[test]
fn a_good_checkpoint_is_ok_whoever_of_the_members_signed() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        for (size, count) in [(FIVE, 1), (SEVEN, 200), (TWENTY, 3), (LARGEST, 4096)] {
            let mut fixture = Fixture::on(spec, size);
            let checkpoint = Checkpoint::over(&fixture, &blob_ids(count));
            let now = fixture.chain.time;
            for slots in [fixture.all(), (0..size.t).collect(), (size.n - size.t..size.n).collect()] {
                let encoded = checkpoint.certify(&fixture, &slots);
                assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Ok, "{size:?} {slots:?}");
            }
            let event: Registry::CheckpointPublished =
                fixture.publish_checkpoint(&checkpoint.certify(&fixture, &fixture.all())).event();
            assert_eq!((event.checkpointId, event.blobsRoot), (checkpoint.id(&fixture), checkpoint.root));
            assert_eq!((event.namespace, event.epoch), (checkpoint.namespace, 1));
            assert_eq!((event.count, event.retainUntil), (count, checkpoint.retain_until));
        }
    }
}

#[test]
fn the_first_publication_stays() {
    let mut fixture = Fixture::new(SEVEN);
    let checkpoint = Checkpoint::over(&fixture, &blob_ids(5));
    let id = checkpoint.id(&fixture);
    let published = |fixture: &Fixture| {
        fixture.chain.call(fixture.registry, &Registry::checkpointPublishedAtCall { checkpointId: id })
    };
    assert_eq!(published(&fixture), 0);
    let first = fixture.chain.time;
    for slots in [&[0, 1, 2, 3, 4, 5][..], &[1, 2, 3, 4, 5, 6]] {
        let outcome = fixture.publish_checkpoint(&checkpoint.certify(&fixture, slots));
        assert!(outcome.success);
        assert_eq!(published(&fixture), first);
        fixture.chain.time += 10;
    }
}

#[test]
fn checkpoints_that_break_the_format_are_malformed_even_when_all_sign_them() {
    let fixture = Fixture::new(FIVE);
    let now = fixture.chain.time;
    let base = Checkpoint::over(&fixture, &blob_ids(3));
    let edited = [
        Checkpoint { count: 0, ..base },
        Checkpoint { count: 4097, ..base },
        Checkpoint { count: u32::MAX, ..base },
        Checkpoint { retain_until: base.retain_until + 1, ..base },
        Checkpoint { retain_until: u64::MAX, ..base },
    ];
    for checkpoint in edited {
        let encoded = checkpoint.certify(&fixture, &fixture.all());
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Malformed, "{checkpoint:?}");
    }
    for count in [1, 4096] {
        let encoded = Checkpoint { count, ..base }.certify(&fixture, &fixture.all());
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Ok, "{count}");
    }

    let good = base.certify(&fixture, &fixture.all());
    for length in (0..good.len()).chain([246, 277, 321]) {
        let mut encoded = good.clone();
        encoded.resize(length, 0);
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Malformed, "{length} bytes");
    }
    for kind in (0..=255).filter(|kind| *kind != 0xc1) {
        let mut encoded = good.clone();
        encoded[0] = kind;
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Malformed, "kind {kind}");
    }
    let infinity = base.encode(bitmap(&fixture.all()), &[0; 128]);
    assert_eq!(fixture.checkpoint_verdict(&infinity, now), Status::Malformed);
    for padding in [SIGNATURE_OFFSET, SIGNATURE_OFFSET + 15, SIGNATURE_OFFSET + 64] {
        let mut encoded = good.clone();
        encoded[padding] = 1;
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::Malformed, "byte {padding}");
    }
}

#[test]
fn a_checkpoint_is_judged_by_its_epochs_times() {
    let mut fixture = Fixture::new(FIVE);
    let checkpoint = Checkpoint::over(&fixture, &blob_ids(3));
    let encoded = checkpoint.certify(&fixture, &fixture.all());
    for epoch in [0, 2, u64::MAX] {
        let other = Checkpoint { epoch, ..checkpoint }.certify(&fixture, &fixture.all());
        assert_eq!(fixture.checkpoint_verdict(&other, fixture.chain.time), Status::UnknownEpoch);
    }
    let first = START + DELAY;
    assert_eq!(fixture.checkpoint_verdict(&encoded, first - 1), Status::NotYet);
    assert_eq!(fixture.checkpoint_verdict(&encoded, first), Status::Ok);

    fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch: 1 });
    assert_eq!(fixture.checkpoint_verdict(&encoded, first), Status::Ok);
    assert_eq!(fixture.checkpoint_verdict(&encoded, first + 1), Status::Revoked);
    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, FIVE));
    assert_eq!(fixture.checkpoint_verdict(&encoded, first + DELAY), Status::EpochClosed);
    fixture.chain.time += 1;
    let status = Status::Revoked as u8;
    fixture.publish_checkpoint(&encoded).reverted_with(&Registry::NotAvailable { status });
}

#[test]
fn signers_past_the_last_slot_are_wrong_parameters() {
    let fixture = Fixture::new(FIVE);
    let checkpoint = Checkpoint::over(&fixture, &blob_ids(3));
    let signature = sign(&fixture, checkpoint.id(&fixture), &fixture.all());
    for slot in 5..256usize {
        let encoded = checkpoint.encode(bitmap(&fixture.all()) | (U256::from(1) << slot), &signature);
        assert_eq!(fixture.checkpoint_verdict(&encoded, fixture.chain.time), Status::WrongParameters, "slot {slot}");
        // The epoch's times come first.
        assert_eq!(fixture.checkpoint_verdict(&encoded, 0), Status::NotYet, "slot {slot}");
    }
}

#[test]
fn a_checkpoint_must_be_kept_for_as_long_as_its_namespace_wants() {
    let fixture = Fixture::new(FIVE);
    let checkpoint = Checkpoint::over(&fixture, &blob_ids(3));
    let encoded = checkpoint.certify(&fixture, &fixture.all());
    let last = checkpoint.retain_until - MIN_RETENTION;
    assert_eq!(fixture.checkpoint_verdict(&encoded, last), Status::Ok);
    for at in [last + 1, u64::MAX] {
        assert_eq!(fixture.checkpoint_verdict(&encoded, at), Status::RetentionTooShort);
    }
    let nowhere = Checkpoint { namespace: B256::repeat_byte(3), ..checkpoint }.certify(&fixture, &fixture.all());
    assert_eq!(fixture.checkpoint_verdict(&nowhere, last), Status::UnknownNamespace);
}

#[test]
fn a_checkpoint_needs_the_threshold_and_the_signature_of_those_it_names() {
    for size in [FIVE, TWENTY, LARGEST] {
        let fixture = Fixture::new(size);
        let now = fixture.chain.time;
        let checkpoint = Checkpoint::over(&fixture, &blob_ids(3));
        let few: Vec<u16> = (1..size.t).collect();
        assert_eq!(fixture.checkpoint_verdict(&checkpoint.certify(&fixture, &few), now), Status::BelowThreshold);
        let signature = sign(&fixture, checkpoint.id(&fixture), &few);
        for claimed in [fixture.all(), (0..size.t).collect()] {
            let encoded = checkpoint.encode(bitmap(&claimed), &signature);
            assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::BadSignature);
        }
    }
}

#[test]
fn one_bit_of_a_checkpoint_flipped_anywhere() {
    let fixture = Fixture::new(SEVEN);
    let good = Checkpoint::over(&fixture, &blob_ids(3)).certify(&fixture, &[0, 1, 2, 3, 5, 6]);
    let now = fixture.chain.time;
    assert_eq!(fixture.checkpoint_verdict(&good, now), Status::Ok);
    for bit in 0..good.len() * 8 {
        let mut encoded = good.clone();
        encoded[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(fixture.checkpoint_verdict(&encoded, now), Status::Ok, "bit {bit}");
    }
}

#[test]
fn a_checkpoints_signature_makes_no_certificate_and_the_reverse() {
    let fixture = Fixture::new(FIVE);
    let (now, all) = (fixture.chain.time, fixture.all());
    let checkpoint = Checkpoint::over(&fixture, &blob_ids(3));
    let statement = fixture.statement();
    let of_checkpoint = sign(&fixture, checkpoint.id(&fixture), &all);
    let of_statement = fixture.sign(&statement, &fixture.domain(), &all);
    assert_eq!(fixture.verdict(&encode_l1(&statement, bitmap(&all), &of_checkpoint)), Status::BadSignature);
    let encoded = checkpoint.encode(bitmap(&all), &of_statement);
    assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::BadSignature);
    // Nor are the bytes of one taken for the other.
    let certificate = fixture.certificate();
    let encoded = checkpoint.certify(&fixture, &all);
    assert_eq!(fixture.verdict(&encoded), Status::Malformed);
    assert_eq!(fixture.checkpoint_verdict(&certificate, now), Status::Malformed);
}

#[test]
fn every_field_of_a_checkpoint_changed_after_signing() {
    let mut fixture = Fixture::new(FIVE);
    let other = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 0, dispersers: vec![] };
    let namespace = fixture.chain.must(GUARDIAN, fixture.registry, &other);
    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.time += 1;
    let base = Checkpoint::over(&fixture, &blob_ids(3));
    let signature = sign(&fixture, base.id(&fixture), &fixture.all());
    let now = fixture.chain.time;
    let edited = [
        Checkpoint { namespace, ..base },
        Checkpoint { root: B256::repeat_byte(7), ..base },
        Checkpoint { count: 4, ..base },
        Checkpoint { retain_until: base.retain_until + HOUR, ..base },
    ];
    for checkpoint in edited {
        let encoded = checkpoint.encode(bitmap(&fixture.all()), &signature);
        assert_eq!(fixture.checkpoint_verdict(&encoded, now), Status::BadSignature, "{checkpoint:?}");
    }
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, FIVE));
    let moved = Checkpoint { epoch: 2, ..base }.encode(bitmap(&fixture.all()), &signature);
    assert_eq!(fixture.checkpoint_verdict(&moved, now + DELAY), Status::BadSignature);
    // On a fork of the chain it means nothing, and has another id.
    let here = base.certify(&fixture, &fixture.all());
    assert_eq!(fixture.checkpoint_verdict(&here, now), Status::Ok);
    fixture.chain.chain_id += 1;
    assert_eq!(fixture.checkpoint_verdict(&here, now), Status::BadSignature);
    assert_eq!(here.len() - HEAD_BYTES, 32 + 128);
}
