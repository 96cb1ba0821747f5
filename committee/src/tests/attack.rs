//! Dispersers that send what they must not: each gets its status, nothing is stored and nothing signed.

use holdfast_certificate::DisperserKey;
use holdfast_erasure::Digest;
use tonic::Code;
use v1::store_shard_request::Part;

use super::*;

/// One wrong dispersal by shard.
struct Case {
    name: &'static str,
    code: Code,
    /// What the message must name: what was expected, or got.
    says: String,
    parts: Vec<Part>,
}

fn flipped(bytes: &Bytes, at: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes.into()
}

/// Every case is right but for one thing, and signed by the disperser where the statement is what is wrong.
fn cases(world: &World, encoded: &EncodedBlob) -> Vec<Case> {
    let good = world.statement(encoded);
    let body = shard(encoded);
    let header = world.shard_header(&good, encoded);
    let mut cases = Vec::new();
    let mut parts = |name, code, says: &str, parts| cases.push(Case { name, code, says: says.into(), parts });

    let chunk = |bytes: &Bytes| holdfast_transport::chunks(bytes.clone()).map(Part::Chunk).collect::<Vec<_>>();
    let with = |header: v1::StoreShardHeader| [vec![Part::Header(header)], chunk(&body)].concat();
    let stated = |statement: Statement| with(world.shard_header(&statement, encoded));
    let blob = |change: &dyn Fn(&mut holdfast_erasure::Blob)| {
        let mut statement = good;
        change(&mut statement.blob);
        stated(statement)
    };

    use Code::{FailedPrecondition, InvalidArgument, NotFound, PermissionDenied};
    parts("no message", InvalidArgument, "nothing", vec![]);
    parts("no header", InvalidArgument, "the header first, got a chunk", chunk(&body));
    parts(
        "two headers",
        InvalidArgument,
        "got a header",
        vec![Part::Header(header.clone()), Part::Header(header.clone())],
    );
    let empty = vec![Part::Header(header.clone()), Part::Chunk(Bytes::new())];
    parts("empty chunk", InvalidArgument, "an empty chunk", empty);
    let nothing = v1::StoreShardHeader { statement: None, ..header.clone() };
    parts("no statement", InvalidArgument, "statement is missing", with(nothing));
    parts("empty payload", InvalidArgument, "from 1 to", blob(&|blob| blob.payload_length = 0));
    let over = blob(&|blob| blob.payload_length = MAX_PAYLOAD + 1);
    parts("payload over the cap", InvalidArgument, "got 33554433", over);
    parts("other k", InvalidArgument, "got 3 of 5", blob(&|blob| blob.original_shards = 3));
    parts("other n", InvalidArgument, "got 2 of 6", blob(&|blob| blob.total_shards = 6));
    parts("k above n", InvalidArgument, "6 of 5", blob(&|blob| blob.original_shards = 6));
    let digest = blob(&|blob| blob.payload_digest = Digest::from([1; 32]));
    parts("payload digest by shard", InvalidArgument, "payload digest is zero", digest);
    parts("whole by shard", InvalidArgument, "whole_until must be 0", stated(Statement { whole_until: WHOLE, ..good }));
    let off = stated(Statement { retain_until: RETAIN + 1, ..good });
    parts("off the grid", InvalidArgument, "multiple of 3600", off);
    let past = stated(Statement { retain_until: 499_999 * HOUR, ..good });
    parts("past", InvalidArgument, &format!("after now ({NOW})"), past);
    let short = stated(Statement { retain_until: 500_001 * HOUR, ..good });
    parts("below the namespace's minimum", InvalidArgument, &format!("at least {}", NOW + 2 * HOUR), short);
    let long = stated(Statement { retain_until: 500_000 * HOUR + 91 * 24 * HOUR, ..good });
    parts("longer than the policy", InvalidArgument, "this member's policy", long);
    let wrong_epoch = stated(Statement { epoch: EPOCH + 1, ..good });
    parts("wrong epoch", FailedPrecondition, "epoch 8 is not active, the active epoch is 7", wrong_epoch);
    let namespace = Namespace::from([4; 32]);
    parts("unknown namespace", NotFound, &namespace.to_string(), stated(Statement { namespace, ..good }));
    let stranger = DisperserKey::from_bytes(&[10; 32]).expect("in range");
    let signature = stranger.sign(&good.digest(&world.registry.domain())).to_bytes();
    let by_stranger =
        v1::StoreShardHeader { disperser_signature: Bytes::copy_from_slice(&signature), ..header.clone() };
    parts("signature by a stranger", PermissionDenied, &stranger.address().to_string(), with(by_stranger));
    let other = Statement { retain_until: RETAIN + HOUR, ..good };
    let of_other = v1::StoreShardHeader { disperser_signature: world.sign(&other), ..header.clone() };
    parts("signature over another statement", PermissionDenied, "not a disperser", with(of_other));
    let signature = v1::StoreShardHeader { disperser_signature: Bytes::from_static(&[0; 64]), ..header.clone() };
    parts("short signature", InvalidArgument, "disperser_signature has 64 bytes, expected 65", with(signature));
    let index = v1::StoreShardHeader { shard_index: (header.shard_index + 1) % 5, ..header.clone() };
    parts("another slot's shard", InvalidArgument, &format!("holds shard {}", header.shard_index), with(index));
    let huge = v1::StoreShardHeader { shard_index: u32::MAX, ..header.clone() };
    parts("huge index", InvalidArgument, "4294967295", with(huge));

    let truncated = [vec![Part::Header(header.clone())], chunk(&body.slice(..body.len() - 1))].concat();
    let says = format!("shard must have {} bytes, got {}", body.len(), body.len() - 1);
    parts("truncated shard", InvalidArgument, &says, truncated);
    parts("no shard", InvalidArgument, &format!("{} bytes, got 0", body.len()), vec![Part::Header(header.clone())]);
    let mut long = with(header.clone());
    long.push(Part::Chunk(Bytes::from_static(&[0])));
    parts("over-long shard", InvalidArgument, &format!("{} bytes, got {}", body.len(), body.len() + 1), long);

    for at in [0, body.len() / 2, body.len() - 1] {
        let altered = [vec![Part::Header(header.clone())], chunk(&flipped(&body, at))].concat();
        parts("altered shard", InvalidArgument, "with root", altered);
    }
    for slot in 0..usize::from(MEMBERS) {
        let roots = v1::StoreShardHeader { shard_roots: flipped(&header.shard_roots, 32 * slot), ..header.clone() };
        parts("altered root", InvalidArgument, "shards root", with(roots));
    }
    for row in 0..2 * usize::from(ORIGINAL) {
        let fingerprints = flipped(&header.fingerprints, 128 * row + 5);
        let altered = v1::StoreShardHeader { fingerprints, ..header.clone() };
        parts("altered fingerprint", InvalidArgument, "fingerprints with hash", with(altered));
    }
    let roots = v1::StoreShardHeader { shard_roots: header.shard_roots.slice(32..), ..header.clone() };
    parts("too few roots", InvalidArgument, "shard_roots has 128 bytes, expected 160", with(roots));
    let rows = v1::StoreShardHeader { fingerprints: header.fingerprints.slice(1..), ..header.clone() };
    parts("short fingerprints", InvalidArgument, "fingerprints has 511 bytes, expected 512", with(rows));
    parts("another shards root", InvalidArgument, "", blob(&|blob| blob.shards_root = Digest::from([9; 32])));
    parts("another length", InvalidArgument, "", blob(&|blob| blob.payload_length += 1));
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_dispersal_by_shard_is_refused_and_leaves_no_trace() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    // One chunk, and a body much larger than what is in flight when the refusal comes.
    for length in [10_000, 20 << 20] {
        let encoded = coded(length, 1, Dispersal::ByShard);
        for Case { name, code, says, parts } in cases(&world, &encoded) {
            let status = peer.send_shard(parts).await.expect_err(name);
            assert_eq!(status.code(), code, "{name}: {status}");
            assert!(status.message().contains(&says), "{name}: {:?} does not say {says:?}", status.message());
            assert_eq!(peer.get_blob(encoded.id()).await.expect_err(name).code(), Code::NotFound, "{name}");
        }
        assert!(peer.list().await.is_empty(), "something was signed");
        assert_eq!(member.store().usage(), Default::default(), "something was stored");
        // And the same member takes what is right.
        if length < 20 << 20 {
            continue;
        }
        peer.store(&world, &encoded, &world.statement(&encoded)).await;
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn inconsistent_codeword_gets_no_signature() {
    // All roots and fingerprints agree with the commitment, but this member's shard is of another codeword: the attack
    // that a Merkle tree alone does not see.
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let mut refused = 0;
    for seed in 0..8 {
        let good = coded(10_000, seed, Dispersal::ByShard);
        let mut bodies: Vec<Bytes> = good.commitment().parameters().indices().map(|index| good.shard(index)).collect();
        // A recovery shard that is not the code's.
        bodies[4] = flipped(&bodies[4], 77);
        let roots: Vec<Digest> = bodies.iter().map(|body| holdfast_erasure::merkle::shard_root(body)).collect();
        let mut blob = *good.blob();
        blob.shards_root = holdfast_erasure::merkle::root_of(&roots);
        let parameters = good.commitment().parameters();
        let points = [0, 1]
            .map(|j| holdfast_erasure::reference::point(j, MEMBERS, ORIGINAL, blob.payload_length, &blob.shards_root));
        let fingerprints: Vec<u8> = bodies[..usize::from(ORIGINAL)]
            .iter()
            .flat_map(|body| points.map(|point| holdfast_erasure::reference::fingerprint(body, &point)).concat())
            .collect();
        blob.fingerprints_hash = holdfast_erasure::sha256(&fingerprints);
        let mine = parameters.shard_of_slot(SLOT, &blob.shards_root).get();
        let statement = Statement { blob, ..world.statement(&good) };
        let header = v1::StoreShardHeader {
            statement: Some((&statement).into()),
            disperser_signature: world.sign(&statement),
            shard_index: mine.into(),
            shard_roots: holdfast_proto::digests_to_bytes(&roots),
            fingerprints: fingerprints.into(),
        };
        let answer = peer.store_shard(header, bodies[usize::from(mine)].clone()).await;
        if mine == 4 {
            let status = answer.expect_err("not of the codeword");
            assert_eq!(status.code(), Code::InvalidArgument);
            assert!(status.message().contains("fingerprint"), "{status}");
            refused += 1;
        } else {
            world.verify(&statement, &answer.expect("this member's shard is of the codeword"));
        }
    }
    assert!(refused > 0, "no seed gave this member the wrong shard");
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_dispersal_by_payload_is_refused_and_leaves_no_trace() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let encoded = coded(100_000, 1, Dispersal::ByPayload);
    let good = world.statement(&encoded);
    let blob = |change: &dyn Fn(&mut holdfast_erasure::Blob)| {
        let mut statement = good;
        change(&mut statement.blob);
        statement
    };
    let payload = encoded.payload().clone();
    let by_shard = world.statement(&coded(100_000, 1, Dispersal::ByShard));
    for (name, statement, body, says) in [
        ("by shard", by_shard, payload.clone(), "payload digest is not zero"),
        ("whole absent", Statement { whole_until: 0, ..good }, payload.clone(), "whole_until"),
        ("whole after retain", Statement { whole_until: RETAIN + HOUR, ..good }, payload.clone(), "whole_until"),
        ("whole past", Statement { whole_until: 499_999 * HOUR, ..good }, payload.clone(), "after now"),
        ("truncated", good, payload.slice(1..), "payload must have 100000 bytes, got 99999"),
        ("over-long", good, [&payload[..], &[0]].concat().into(), "got 100001"),
        ("altered", good, flipped(&payload, 5), "its payload digest is"),
        (
            "other digest",
            blob(&|blob| blob.payload_digest = Digest::from([1; 32])),
            payload.clone(),
            "its payload digest is",
        ),
        ("other root", blob(&|blob| blob.shards_root = Digest::from([1; 32])), payload.clone(), "its shards root is"),
        (
            "other fingerprints",
            blob(&|blob| blob.fingerprints_hash = Digest::ZERO),
            payload.clone(),
            "its fingerprints hash is",
        ),
    ] {
        let header = v1::StorePayloadHeader {
            statement: Some((&statement).into()),
            disperser_signature: world.sign(&statement),
        };
        let status = peer.store_payload(header, body).await.expect_err(name);
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        assert!(status.message().contains(says), "{name}: {:?} does not say {says:?}", status.message());
        assert_eq!(peer.get_blob(statement.blob.id()).await.expect_err(name).code(), Code::NotFound, "{name}");
    }
    assert!(peer.list().await.is_empty());
    assert_eq!(member.store().usage(), Default::default());
    peer.store(&world, &encoded, &good).await;
    member.stop().await.expect("stops");
}
