use holdfast_certificate::{Address, Namespace, SecretKey};
use holdfast_erasure::BlobId;
use holdfast_registry::Error as L1;

use super::*;
use crate::{disk::OverBudget, quota::OverQuota};

async fn unfinished() -> Unfinished {
    let task = tokio::spawn(std::future::pending::<()>());
    task.abort();
    task.await.expect_err("aborted").into()
}

fn busy() -> Error {
    Error::Busy { wanted: 1, of: 8, share: Some(2) }
}

/// One error of every line of the table, with what a peer must see.
async fn table() -> Vec<(Error, Code, Tell)> {
    use Tell::{All, Id, NoRegistry, RetryAfter};
    use attestor::Error as A;
    use store::Error as S;
    let id = BlobId::from([1; 32]);
    let namespace = Namespace::from([2; 32]);
    let key = || Box::new(SecretKey::derive_master(&[1; 32]).expect("a key").public_key());
    let certificate = || holdfast_certificate::Error::WrongEpoch { expected: 1, got: 2 };
    let text = || "why".to_owned();
    let over = OverQuota { namespace, limit: 1, used: 1, wanted: 1 };
    let full = OverBudget { budget: 1, used: 1, wanted: 1 };
    let digest = holdfast_certificate::StatementDigest::from_bytes(&[1; 32]).expect("32 bytes");
    let wire = holdfast_proto::Error::Missing { field: "statement" };
    let cut = |code| Error::Stream(Status::new(code, "cut"));
    let dir = std::path::PathBuf::from("data");
    vec![
        (wire.into(), Code::InvalidArgument, All),
        (Error::PageToken { got: 3 }, Code::InvalidArgument, All),
        (Error::Range { field: "page_size", most: 1, got: 2 }, Code::InvalidArgument, All),
        (Error::Order { expected: "a", got: "b" }, Code::InvalidArgument, All),
        (Error::BodyLength { what: "shard", expected: 1, got: 2, more: true }, Code::InvalidArgument, All),
        (Error::Certificate(certificate()), Code::InvalidArgument, All),
        (Error::Request { most: 1 }, Code::InvalidArgument, All),
        (Error::TooSlow { got: 0, grace: Duration::from_secs(1), least: 1 }, Code::DeadlineExceeded, All),
        (Error::Late { limit: Duration::from_secs(1) }, Code::DeadlineExceeded, All),
        (Error::TooMany { most: 1 }, Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (Error::TooManyAtOnce { most: 1 }, Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (Error::Full, Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (Error::Stream(busy().into()), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (cut(Code::DeadlineExceeded), Code::DeadlineExceeded, All),
        (Unfinished::Busy { waiting: 1 }.into(), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (A::Unfinished(Unfinished::Busy { waiting: 1 }).into(), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (cut(Code::OutOfRange), Code::InvalidArgument, All),
        (cut(Code::Cancelled), Code::Cancelled, All),
        (busy(), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (Error::Draining, Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (Error::Drained, Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (S::Archived { id, what: text(), index: Some(1) }.into(), Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (Error::CertificateEpoch { got: 1 }, Code::FailedPrecondition, All),
        (Error::NotSigned(digest), Code::NotFound, All),
        (Error::Registry(L1::NoActiveEpoch { at: 1 }), Code::Unavailable, NoRegistry(RETRY_MS)),
        (unfinished().await.into(), Code::Internal, Id),
        (A::WrongDispersal { call: "StoreShard", expected: "zero" }.into(), Code::InvalidArgument, All),
        (A::Format(certificate()).into(), Code::InvalidArgument, All),
        (A::WrongShard { id, slot: 1, expected: 1, got: 2 }.into(), Code::InvalidArgument, All),
        (A::Past { field: "retain_until", now: 2, got: 1 }.into(), Code::InvalidArgument, All),
        (A::TooLong { field: "retain_until", most: 1, got: 2 }.into(), Code::InvalidArgument, All),
        (A::TooShort { least: 2, got: 1 }.into(), Code::InvalidArgument, All),
        (A::NotAccepted(holdfast_erasure::Error::EmptyPayload).into(), Code::InvalidArgument, All),
        (A::WrongBlob { expected: id, got: id, differs: text() }.into(), Code::InvalidArgument, All),
        (A::WrongEpoch { active: 2, got: 1 }.into(), Code::FailedPrecondition, All),
        (A::WrongEpoch { active: 1, got: 2 }.into(), Code::FailedPrecondition, RetryAfter(RETRY_MS)),
        (A::NoActiveEpoch { got: 1, now: 1 }.into(), Code::FailedPrecondition, RetryAfter(RETRY_MS)),
        (A::NoSlot { key: key(), epoch: 1 }.into(), Code::FailedPrecondition, All),
        (A::UnknownNamespace(namespace).into(), Code::NotFound, All),
        (A::TooManyStrangers { namespace }.into(), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (A::TooManyCheckpoints { most: 1 }.into(), Code::ResourceExhausted, RetryAfter(RETRY_MS)),
        (A::NotServed(namespace).into(), Code::PermissionDenied, All),
        (A::DisperserSignature(certificate()).into(), Code::PermissionDenied, All),
        (A::NotAllowed { digest, got: Address::from([1; 20]), namespace }.into(), Code::PermissionDenied, All),
        (A::Pen(pen::Error::Away).into(), Code::Unavailable, RetryAfter(RETRY_MS)),
        (A::Pen(pen::Error::Refused(text())).into(), Code::PermissionDenied, All),
        (
            A::Pen(pen::Error::Unfinished(Unfinished::Busy { waiting: 1 })).into(),
            Code::ResourceExhausted,
            RetryAfter(RETRY_MS),
        ),
        (A::PeersClock { now: 1, ahead: 100 }.into(), Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (A::Clock { now: 1, l1: 100 }.into(), Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (A::OverQuota(over).into(), Code::ResourceExhausted, RetryAfter(RETRY_LATER_MS)),
        (A::OverBudget(full).into(), Code::ResourceExhausted, RetryAfter(RETRY_LATER_MS)),
        (A::Store(S::Closed).into(), Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (A::Registry(L1::NoActiveEpoch { at: 1 }).into(), Code::Unavailable, NoRegistry(RETRY_MS)),
        (A::Unfinished(unfinished().await).into(), Code::Internal, Id),
        (S::NotFound { id, what: text() }.into(), Code::NotFound, All),
        (S::Lost { id, what: text(), at: 1 }.into(), Code::DataLoss, All),
        (S::Expired { id, what: text(), until: 1 }.into(), Code::FailedPrecondition, All),
        (S::NotPromised { id, namespace, epoch: 1, until: 2, latest: 0 }.into(), Code::FailedPrecondition, All),
        (S::Damaged { id, what: text(), reason: text() }.into(), Code::DataLoss, Tell::Data),
        (S::TooManyStatements { id, namespace, most: 1 }.into(), Code::ResourceExhausted, All),
        (S::WritesDisabled { reason: text() }.into(), Code::Unavailable, Tell::NoWrites(RETRY_LATER_MS)),
        (S::Counting.into(), Code::Unavailable, RetryAfter(RETRY_MS)),
        (S::Reopening.into(), Code::Unavailable, RetryAfter(RETRY_MS)),
        (S::Closed.into(), Code::Unavailable, RetryAfter(RETRY_LATER_MS)),
        (S::Locked { dir: dir.clone() }.into(), Code::Internal, Id),
        (
            S::WrongIdentity { dir: dir.clone(), field: "registry", expected: text(), got: text() }.into(),
            Code::Internal,
            Id,
        ),
        (S::Format { dir: dir.clone(), expected: 1, got: 2 }.into(), Code::Internal, Id),
        (S::Open { dir: dir.clone(), reason: text() }.into(), Code::Internal, Id),
        (S::NoStore { dir: dir.clone() }.into(), Code::Internal, Id),
        (S::Missing { file: dir.clone() }.into(), Code::Internal, Id),
        (S::Broken { file: dir.clone(), at: 1, reason: text() }.into(), Code::Internal, Id),
        (S::Corrupt { dir: dir.clone(), reason: text() }.into(), Code::Internal, Id),
        (S::NotPermitted { path: dir.clone() }.into(), Code::Internal, Id),
        (S::ReadOnly { path: dir.clone() }.into(), Code::Internal, Id),
        (S::File { file: dir.clone(), reason: text() }.into(), Code::Internal, Id),
        (S::Record { what: "promise", reason: text() }.into(), Code::DataLoss, Id),
        (
            S::NoRoom { dir: dir.clone(), needed: 2, free: 1 }.into(),
            Code::ResourceExhausted,
            Tell::NoWrites(RETRY_LATER_MS),
        ),
        (S::BucketDropped { day: 1, dropped_before: 2 }.into(), Code::FailedPrecondition, All),
        (S::Read(text()).into(), Code::Internal, Id),
    ]
}

#[tokio::test]
async fn every_error_has_its_status_and_ours_give_nothing_away() {
    for (error, code, tell) in table().await {
        let text = error.to_string();
        assert_eq!(error.verdict(), (code, tell), "{text}");
        let status = Status::from(error);
        assert_eq!(status.code(), code, "{text}");
        let hint = status.metadata().get(RETRY_AFTER).map(|value| value.to_str().expect("ascii").to_owned());
        match tell {
            Tell::All => assert_eq!((status.message(), hint), (text.as_str(), None)),
            Tell::RetryAfter(ms) => assert_eq!((status.message(), hint), (text.as_str(), Some(ms.to_string()))),
            Tell::Data => assert_eq!((status.message(), hint), (text.as_str(), None)),
            Tell::NoWrites(ms) => assert_eq!((status.message(), hint), (text.as_str(), Some(ms.to_string()))),
            Tell::NoRegistry(ms) => assert_eq!((status.message(), hint), (NO_REGISTRY, Some(ms.to_string()))),
            Tell::Id => {
                assert!(!status.message().contains(&text), "{}", status.message());
                assert!(status.message().starts_with("internal error, see "));
                assert_eq!(hint, None);
            }
        }
    }
}

#[test]
fn trace_ids_differ() {
    assert_ne!(trace_id(), trace_id());
}

#[test]
fn no_path_of_the_host_reaches_a_peer() {
    let id = BlobId::from([1; 32]);
    let damaged = |reason: &str| {
        let error = store::Error::Damaged { id, what: "shard 1".into(), reason: reason.into() };
        Status::from(Error::from(error)).message().to_owned()
    };
    let start = format!("the stored copy of shard 1 of blob {id} is damaged");
    assert_eq!(damaged("Blob CRC mismatch"), format!("{start}: Blob CRC mismatch"));
    assert_eq!(
        damaged("block checksum mismatch in /data/m0/000012.sst offset 7"),
        format!("{start}: block checksum mismatch in")
    );
    assert_eq!(damaged("/data/m0/000012.sst"), start);
    let disabled = store::Error::WritesDisabled { reason: "IO error: /data/m0/000013.log: No space left".into() };
    assert_eq!(Status::from(Error::from(disabled)).message(), "writes are disabled: IO error");
}

#[test]
fn a_line_a_minute_is_let_through() {
    let throttle = Throttle::new();
    let passed = (0..1000).filter(|_| throttle.pass().is_some()).count();
    assert!((1..=2).contains(&passed), "{passed}");
}

#[test]
fn no_path_of_the_host_is_told_and_what_is_said_of_one_is() {
    for (text, told) in [
        (
            "the disk is full: 2 bytes are needed, 1 are free: /srv/m0/data",
            "the disk is full: 2 bytes are needed, 1 are free",
        ),
        ("/srv/m0/data/mark: the file system is read-only", "the file system is read-only"),
        ("/srv/with spaces: and colons/mark: the file system is read-only", "the file system is read-only"),
        ("/srv/m0/data/mark", "see this member's log"),
        ("/srv/a: /srv/b", "see this member's log"),
        ("no path at all", "no path at all"),
    ] {
        assert_eq!(without_paths(text), told, "{text}");
    }
}
