//! What each rule of `verify` answers, at and next to its boundary.

use alloy::primitives::{B256, Bytes};
use holdfast_certificate::{
    Attestation, Certificate, Committee, CommitteeParameters, HOUR, Namespace, ProvenKey, Statement,
};
use holdfast_erasure::{Digest, Parameters};
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::{Chain, START},
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, LARGEST, MAX_PAYLOAD, MIN_RETENTION, OWNER, SEVEN, STRANGER, Size,
        TWENTY, bitmap, encode_l1, keys_of, propose, secret_keys,
    },
};

/// A change of a statement.
type Edit<'a> = &'a dyn Fn(&mut Statement);

#[test]
fn a_good_certificate_is_ok_whoever_of_the_members_signed() {
    for spec in [SpecId::PRAGUE, SpecId::OSAKA] {
        for size in [FIVE, SEVEN, TWENTY, LARGEST] {
            let fixture = Fixture::on(spec, size);
            let statement = fixture.statement();
            let first: Vec<u16> = (0..size.t).collect();
            let last: Vec<u16> = (size.n - size.t..size.n).collect();
            for slots in [fixture.all(), first, last] {
                let certificate = fixture.certify(&statement, &slots);
                assert_eq!(fixture.verdict(&certificate), Status::Ok, "{size:?} {slots:?}");
                assert_eq!(fixture.genuine(&certificate), Status::Ok, "{size:?} {slots:?}");
            }
        }
    }
}

#[test]
fn any_slot_of_the_largest_committee_may_be_missing() {
    let fixture = Fixture::new(LARGEST);
    let statement = fixture.statement();
    for missing in 0..LARGEST.n {
        let slots: Vec<u16> = fixture.all().into_iter().filter(|&slot| slot != missing).collect();
        assert_eq!(fixture.verdict(&fixture.certify(&statement, &slots)), Status::Ok, "slot {missing}");
    }
}

/// A chain that lets code have 32 KiB takes a committee of as many members as the protocol has, by the same registry.
#[test]
fn any_slot_of_a_committee_of_126_may_be_missing_where_code_may_be_longer() {
    let mut chain = Chain::new(SpecId::OSAKA);
    chain.code_limit = Some(32 << 10);
    let fixture = Fixture::in_chain(chain, Size { n: 126, t: 64, k: 20 }, 0);
    let statement = fixture.statement();
    for missing in 0..126 {
        let slots: Vec<u16> = fixture.all().into_iter().filter(|&slot| slot != missing).collect();
        assert_eq!(fixture.verdict(&fixture.certify(&statement, &slots)), Status::Ok, "slot {missing}");
    }
    for slots in [(0..64).collect::<Vec<u16>>(), (62..126).collect(), (0..126).step_by(2).chain([1]).collect()] {
        assert_eq!(fixture.verdict(&fixture.certify(&statement, &slots)), Status::Ok, "{slots:?}");
    }
}

#[test]
fn the_contract_and_the_library_agree_on_every_byte() {
    let mut fixture = Fixture::new(SEVEN);
    let mut statement = fixture.statement();
    statement.blob.payload_digest = Digest::from([0xd1; 32]);
    statement.whole_until = statement.retain_until - HOUR;

    let code = Parameters::new(SEVEN.k, SEVEN.n).unwrap();
    let parameters = CommitteeParameters::new(code, SEVEN.t, MAX_PAYLOAD).unwrap();
    let keys = fixture.keys.iter().map(|key| ProvenKey::from_registry(key.public_key())).collect();
    let domain = fixture.domain();
    let committee = Committee::new(domain, fixture.epoch, parameters, keys).unwrap();
    let digest = statement.digest(&domain);
    let slots = [0, 1, 2, 4, 5, 6];
    let attestations: Vec<_> =
        slots.iter().map(|&slot| Attestation::sign(slot, &fixture.keys[usize::from(slot)], &digest)).collect();
    let certificate = Certificate::aggregate(&committee, statement, &attestations).unwrap();
    let encoded = certificate.encode_l1();

    assert_eq!(encoded, fixture.certify(&statement, &slots));
    let separator = fixture.chain.call(fixture.registry, &Registry::domainSeparatorCall {});
    assert_eq!(separator.as_slice(), domain.separator().as_bytes());
    assert_eq!(fixture.verdict(&encoded), Status::Ok);

    let event: Registry::Published = fixture.publish(&encoded).event();
    assert_eq!(event.blobId.as_slice(), statement.blob.id().as_bytes());
    assert_eq!(event.namespace.as_slice(), statement.namespace.as_bytes());
    assert_eq!(event.payloadDigest, B256::repeat_byte(0xd1));
    assert_eq!((event.epoch, event.retainUntil), (1, statement.retain_until));
    assert_eq!((event.publisher, event.statementDigest.as_slice()), (STRANGER, &digest.as_bytes()[..]));

    let call = Registry::judgeCall { certificate: Bytes::from(encoded) };
    let judged = fixture.chain.call(fixture.registry, &call);
    assert_eq!((judged.status, judged.blobId, judged.namespace), (Status::Ok as u8, event.blobId, event.namespace));
    assert_eq!(judged.payloadDigest, event.payloadDigest);
}

#[test]
fn publish_reverts_with_the_status() {
    let mut fixture = Fixture::new(FIVE);
    let statement = fixture.statement();
    let good = fixture.certify(&statement, &fixture.all());
    let cases = [
        (good[1..].to_vec(), Status::Malformed),
        (fixture.certify(&statement, &[0, 1, 2]), Status::BelowThreshold),
        (encode_l1(&statement, bitmap(&[0, 1, 2, 3]), &good[193..].try_into().unwrap()), Status::BadSignature),
    ];
    for (certificate, status) in cases {
        fixture.publish(&certificate).reverted_with(&Registry::NotAvailable { status: status as u8 });
    }
    assert!(fixture.publish(&good).success);
}

#[test]
fn statements_that_break_the_format_are_malformed_even_when_all_sign_them() {
    let fixture = Fixture::new(FIVE);
    let base = fixture.statement();
    let digest = Digest::from([1; 32]);
    let edited: [(&str, Edit<'_>); 8] = [
        ("empty payload", &|s| s.blob.payload_length = 0),
        ("retain off the grid", &|s| s.retain_until += 1),
        ("whole off the grid", &|s| {
            s.blob.payload_digest = digest;
            s.whole_until = s.retain_until - 1;
        }),
        ("whole by shard", &|s| s.whole_until = s.retain_until),
        ("by payload but never whole", &|s| s.blob.payload_digest = digest),
        ("whole longer than retained", &|s| {
            s.blob.payload_digest = digest;
            s.whole_until = s.retain_until + HOUR;
        }),
        ("fewer slots than signers", &|s| s.blob.total_shards = 4),
        ("no slots", &|s| s.blob.total_shards = 0),
    ];
    for (what, edit) in edited {
        let mut statement = base;
        edit(&mut statement);
        let certificate = fixture.certify(&statement, &fixture.all());
        assert_eq!(fixture.verdict(&certificate), Status::Malformed, "{what}");
        assert_eq!(fixture.genuine(&certificate), Status::Malformed, "{what}");
    }
    // Next to the boundaries.
    let mut whole = base;
    whole.blob.payload_digest = digest;
    for until in [HOUR, base.retain_until] {
        whole.whole_until = until;
        assert_eq!(fixture.verdict(&fixture.certify(&whole, &fixture.all())), Status::Ok);
    }
}

#[test]
fn every_other_length_and_version_is_malformed() {
    let fixture = Fixture::new(FIVE);
    let good = fixture.certificate();
    for length in (0..good.len()).chain([322, 352, 642]) {
        let mut certificate = good.clone();
        certificate.resize(length, 0);
        assert_eq!(fixture.verdict(&certificate), Status::Malformed, "{length} bytes");
    }
    for version in (0..=255).filter(|version| *version != 1) {
        let mut certificate = good.clone();
        certificate[0] = version;
        assert_eq!(fixture.verdict(&certificate), Status::Malformed, "version {version}");
    }
}

#[test]
fn epochs_that_do_not_exist() {
    let fixture = Fixture::new(FIVE);
    for epoch in [0, 2, u64::MAX] {
        let mut statement = fixture.statement();
        statement.epoch = epoch;
        let certificate = fixture.certify(&statement, &fixture.all());
        assert_eq!(fixture.verdict(&certificate), Status::UnknownEpoch, "epoch {epoch}");
        assert_eq!(fixture.genuine(&certificate), Status::UnknownEpoch, "epoch {epoch}");
    }
}

#[test]
fn an_epoch_is_good_from_its_first_second_until_its_successors() {
    let mut fixture = Fixture::new(FIVE);
    let certificate = fixture.certificate();
    let first = START + DELAY;
    assert_eq!(fixture.verdict_at(&certificate, 0), Status::NotYet);
    assert_eq!(fixture.verdict_at(&certificate, first - 1), Status::NotYet);
    assert_eq!(fixture.verdict_at(&certificate, first), Status::Ok);

    let ids = keys_of(&fixture.chain, fixture.registry, 1);
    fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, FIVE));
    let second = first + DELAY;
    assert_eq!(fixture.verdict_at(&certificate, second - 1), Status::Ok);
    assert_eq!(fixture.verdict_at(&certificate, second), Status::EpochClosed);
    assert_eq!(fixture.genuine(&certificate), Status::Ok);

    // A proposal says nothing before it is active, and of a time to come nothing is said.
    let of_second = fixture.certify(&Statement { epoch: 2, ..fixture.statement() }, &fixture.all());
    assert_eq!(fixture.genuine(&of_second), Status::NotYet);
    let to_come = Registry::verifyCall { certificate: of_second.clone().into(), atTime: second };
    assert_eq!(fixture.chain.call(fixture.registry, &to_come), Status::NotYet as u8);

    // A proposal that is taken back closes nothing, and is itself never active.
    assert_eq!(fixture.verdict_at(&of_second, second), Status::Ok);
    fixture.chain.must(GUARDIAN, fixture.registry, &Registry::cancelFromCall { epoch: 2 });
    assert_eq!(fixture.verdict_at(&certificate, second), Status::Ok);
    assert_eq!(fixture.verdict_at(&of_second, second), Status::EpochCancelled);
    assert_eq!(fixture.genuine(&of_second), Status::EpochCancelled);
}

#[test]
fn revoked_from_the_second_after_the_block_that_revokes() {
    let mut fixture = Fixture::new(FIVE);
    fixture.chain.time += 1000;
    let certificate = fixture.certificate();
    let now = fixture.chain.time;
    assert_eq!(fixture.verdict(&certificate), Status::Ok);
    fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch: 1 });
    // What was said up to now stands.
    assert_eq!(fixture.verdict_at(&certificate, now), Status::Ok);
    assert_eq!(fixture.verdict_at(&certificate, now + 1), Status::Revoked);
    assert_eq!(fixture.verdict_at(&certificate, u64::MAX), Status::Revoked);
    assert_eq!(fixture.genuine(&certificate), Status::Ok);
    fixture.chain.time += 1;
    fixture.publish(&certificate).reverted_with(&Registry::NotAvailable { status: Status::Revoked as u8 });
}

#[test]
fn parameters_other_than_the_epochs() {
    let fixture = Fixture::new(FIVE);
    let edited: [Edit<'_>; 5] = [
        &|s| s.blob.original_shards = 1,
        &|s| s.blob.original_shards = 3,
        &|s| s.blob.total_shards = 6,
        &|s| s.blob.total_shards = u16::MAX,
        &|s| s.blob.payload_length = MAX_PAYLOAD + 1,
    ];
    for edit in edited {
        let mut statement = fixture.statement();
        edit(&mut statement);
        let certificate = fixture.certify(&statement, &fixture.all());
        assert_eq!(fixture.verdict(&certificate), Status::WrongParameters, "{statement:?}");
        assert_eq!(fixture.genuine(&certificate), Status::WrongParameters, "{statement:?}");
    }
    for length in [1, MAX_PAYLOAD] {
        let mut statement = fixture.statement();
        statement.blob.payload_length = length;
        assert_eq!(fixture.verdict(&fixture.certify(&statement, &fixture.all())), Status::Ok);
    }
}

#[test]
fn a_namespace_that_nobody_created() {
    let mut fixture = Fixture::new(FIVE);
    let salt = B256::repeat_byte(2);
    let namespace = Namespace::derive(&holdfast_certificate::Address::from_bytes(OWNER.as_slice()).unwrap(), &salt.0);
    let statement = Statement { namespace, ..fixture.statement() };
    let certificate = fixture.certify(&statement, &fixture.all());
    let now = fixture.chain.time;
    assert_eq!(fixture.verdict(&certificate), Status::UnknownNamespace);
    assert_eq!(fixture.genuine(&certificate), Status::Ok);

    let create = Registry::createNamespaceCall { salt, minRetention: 0, dispersers: vec![] };
    fixture.chain.must(OWNER, fixture.registry, &create);
    assert_eq!(fixture.verdict_at(&certificate, now), Status::UnknownNamespace);
    assert_eq!(fixture.verdict_at(&certificate, now + 1), Status::Ok);
}

#[test]
fn banked_certificate_published_after_its_retention() {
    let mut fixture = Fixture::new(FIVE);
    let statement = fixture.statement();
    let certificate = fixture.certify(&statement, &fixture.all());
    let last = statement.retain_until - MIN_RETENTION;
    assert_eq!(fixture.verdict_at(&certificate, last), Status::Ok);
    assert_eq!(fixture.verdict_at(&certificate, last + 1), Status::RetentionTooShort);
    assert_eq!(fixture.verdict_at(&certificate, u64::MAX), Status::RetentionTooShort);

    fixture.chain.time = statement.retain_until + 1;
    fixture.publish(&certificate).reverted_with(&Registry::NotAvailable { status: Status::RetentionTooShort as u8 });
    assert_eq!(fixture.genuine(&certificate), Status::Ok);
}

#[test]
fn a_namespace_without_a_minimum_still_refuses_what_has_expired() {
    let mut fixture = Fixture::new(FIVE);
    let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 0, dispersers: vec![] };
    let id = fixture.chain.must(OWNER, fixture.registry, &create);
    let namespace = Namespace::from_bytes(id.as_slice()).unwrap();
    let statement = Statement { namespace, ..fixture.statement() };
    let certificate = fixture.certify(&statement, &fixture.all());
    assert_eq!(fixture.verdict_at(&certificate, statement.retain_until), Status::Ok);
    assert_eq!(fixture.verdict_at(&certificate, statement.retain_until + 1), Status::RetentionTooShort);
}

#[test]
fn one_signer_below_the_threshold() {
    for size in [FIVE, SEVEN, TWENTY, LARGEST] {
        let fixture = Fixture::new(size);
        let statement = fixture.statement();
        let slots: Vec<u16> = (1..size.t).collect();
        let certificate = fixture.certify(&statement, &slots);
        assert_eq!(fixture.verdict(&certificate), Status::BelowThreshold, "{size:?}");
        assert_eq!(fixture.genuine(&certificate), Status::BelowThreshold, "{size:?}");
    }
}

#[test]
fn nobody_signed() {
    let fixture = Fixture::new(FIVE);
    let some_point = fixture.sign(&fixture.statement(), &fixture.domain(), &[0]);
    let certificate = encode_l1(&fixture.statement(), bitmap(&[]), &some_point);
    assert_eq!(fixture.verdict(&certificate), Status::BelowThreshold);
}

#[test]
fn a_fork_of_the_chain_does_not_take_the_other_sides_certificates() {
    let mut fixture = Fixture::new(FIVE);
    let before = fixture.certificate();
    let old = fixture.domain();
    fixture.chain.chain_id += 1;
    assert_eq!(fixture.verdict(&before), Status::BadSignature);
    assert_ne!(fixture.domain(), old);
    assert_eq!(fixture.verdict(&fixture.certificate()), Status::Ok);
}

#[test]
fn keys_outside_the_committee_sign_nothing() {
    let mut fixture = Fixture::new(FIVE);
    fixture.keys = secret_keys(100, FIVE.n);
    assert_eq!(fixture.verdict(&fixture.certificate()), Status::BadSignature);
    let call = Registry::verifyCall { certificate: Bytes::from(fixture.certificate()), atTime: fixture.chain.time };
    assert_eq!(fixture.chain.call(fixture.registry, &call), Status::BadSignature as u8);
}
