//! Certificates that are given to a member: what is true is found by whoever asks, and what is false by nobody.

use holdfast_certificate::{Certificate, Signature};
use tonic::Code;

use super::*;

/// The certificate of a statement, by the first four members.
async fn certificate(world: &World, statement: &Statement) -> Vec<u8> {
    let committee = world.registry.epoch(EPOCH).await.expect("the epoch").committee.clone();
    let digest = statement.digest(&world.registry.domain());
    let attestations: Vec<_> =
        (0..4).zip(&world.secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest)).collect();
    Certificate::aggregate(&committee, *statement, &attestations).expect("a quorum").encode()
}

/// The same statement and signers with a signature that is not theirs; another one for each `number`.
fn forged(world: &World, certificate: &[u8], number: u8) -> Vec<u8> {
    let digest = [number; 32];
    let digest = holdfast_certificate::StatementDigest::from_bytes(&digest).expect("32 bytes");
    let signature: Signature = Attestation::sign(0, &world.secrets[0], &digest).signature;
    let mut forged = certificate.to_vec();
    let at = forged.len() - Signature::BYTES;
    forged[at..].copy_from_slice(&signature.to_bytes());
    forged
}

async fn put(peer: &Peer, certificate: &[u8]) -> Result<(), Code> {
    let request = v1::PutCertificateRequest { certificate: Bytes::copy_from_slice(certificate) };
    peer.dispersal.clone().put_certificate(request).await.map(drop).map_err(|status| status.code())
}

/// What the member tells of a blob's one statement, by both ways.
async fn told(peer: &Peer, id: BlobId) -> (bool, Bytes) {
    let listed = peer.list().await;
    let listed = listed.iter().find(|listed| listed.blob_id == id.as_bytes().as_slice()).expect("listed").certified;
    let got = peer.get_blob(id).await.expect("known").statements[0].certificate.clone();
    (listed, got)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_kept_only_for_what_was_signed_and_only_if_it_verifies() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let (liar, peer) = (Peer::connect_from(&member, 2).await, Peer::connect(&member).await);
    let encoded = coded(1000, 1, Dispersal::ByShard);
    let statement = world.statement(&encoded);
    let certificate = certificate(&world, &statement).await;
    assert_eq!(put(&peer, &certificate).await, Err(Code::NotFound), "not signed here");
    peer.store(&world, &encoded, &statement).await;

    // Every bit of it counts: a changed statement is one that was not signed, the rest does not decode or verify; and what may
    // wait to be verified is in no answer.
    let mut taken = 0;
    for bit in (0..certificate.len() * 8).step_by(37).chain([8 * certificate.len() - 1]) {
        let mut changed = certificate.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        match put(&liar, &changed).await {
            Ok(()) => taken += 1,
            Err(code) => assert!([Code::InvalidArgument, Code::NotFound].contains(&code), "bit {bit}: {code:?}"),
        }
    }
    assert!(taken <= 2, "{taken} false ones of one statement wait");
    assert_eq!(told(&peer, encoded.id()).await, (false, Bytes::new()));
    for _ in 0..2 {
        put(&peer, &certificate).await.expect("good");
        assert_eq!(told(&peer, encoded.id()).await, (true, Bytes::from(certificate.clone())));
    }
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_certificate_that_waits_beside_true_ones_is_given_out_to_nobody_and_its_giver_is_trusted_no_more() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let (liar, peer) = (Peer::connect_from(&member, 2).await, Peer::connect(&member).await);
    let mut blobs = Vec::new();
    for seed in 0..5 {
        let encoded = coded(1000, seed, Dispersal::ByShard);
        let statement = world.statement(&encoded);
        peer.store(&world, &encoded, &statement).await;
        blobs.push((encoded.id(), certificate(&world, &statement).await));
    }
    // True ones of the liar's own, a false one in the middle of them, and that blob's true one from somebody else.
    for (number, (_, certificate)) in blobs.iter().enumerate() {
        let forged = forged(&world, certificate, 1);
        let given = if number == 2 { &forged } else { certificate };
        assert_eq!(put(&liar, given).await, Ok(()), "{number}");
    }
    put(&peer, &blobs[2].1).await.expect("not kept out");
    for (number, (id, certificate)) in blobs.iter().enumerate() {
        assert_eq!(told(&peer, *id).await, (true, Bytes::from(certificate.clone())), "{number}");
    }

    // The liar is heard no more on trust; others are.
    let encoded = coded(1000, 9, Dispersal::ByShard);
    let statement = world.statement(&encoded);
    peer.store(&world, &encoded, &statement).await;
    let certificate = certificate(&world, &statement).await;
    for number in 1..5 {
        assert_eq!(put(&liar, &forged(&world, &certificate, number)).await, Err(Code::InvalidArgument), "{number}");
    }
    let mut shed = false;
    for number in 0..1000 {
        shed |= put(&liar, &forged(&world, &certificate, u8::try_from(number % 200).expect("small"))).await
            == Err(Code::ResourceExhausted);
        if shed {
            break;
        }
    }
    assert!(shed, "false certificates count as costly calls");
    put(&peer, &certificate).await.expect("another's turn is its own");
    assert_eq!(told(&peer, encoded.id()).await, (true, Bytes::from(certificate)));
    member.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_nobody_asks_for_are_verified_in_time_and_at_the_latest_when_the_member_stops() {
    let (world, folder, clock) = (World::new(), tempfile::tempdir().expect("a folder"), TestClock::at(NOW));
    let member = world.start(folder.path(), &clock).await;
    let peer = Peer::connect(&member).await;
    let mut stored = Vec::new();
    for seed in 0..3 {
        let encoded = coded(1000, seed, Dispersal::ByShard);
        let statement = world.statement(&encoded);
        peer.store(&world, &encoded, &statement).await;
        stored.push((statement.digest(&world.registry.domain()), certificate(&world, &statement).await));
    }
    let kept = |store: &crate::store::Store, number: usize| store.certificate(&stored[number].0).expect("read");
    put(&peer, &stored[0].1).await.expect("good");
    until(|| kept(member.store(), 0).is_some()).await;
    put(&peer, &stored[1].1).await.expect("good");
    put(&peer, &forged(&world, &stored[2].1, 1)).await.expect("it waits");
    member.stop().await.expect("stops");
    let member = world.start(folder.path(), &clock).await;
    for (number, expected) in [(0, Some(&stored[0].1)), (1, Some(&stored[1].1)), (2, None)] {
        assert_eq!(kept(member.store(), number).map(|bytes| bytes.to_vec()).as_ref(), expected, "{number}");
    }
    member.stop().await.expect("stops");
}
