//! Messages of the wire, as a peer could have written them: what becomes a domain type is the same after the way back.

use holdfast_fuzz::Target;
use prost::Message;

use super::*;

/// What a message becomes is what its own message becomes.
fn comes_back<W, D>(bytes: &[u8])
where
    W: Message + Default,
    D: for<'a> TryFrom<&'a W, Error = Error> + PartialEq + std::fmt::Debug,
    W: for<'a> From<&'a D>,
{
    let Ok(wire) = W::decode(bytes) else { return };
    let Ok(domain) = D::try_from(&wire) else { return };
    let again = W::from(&domain).encode_to_vec();
    let decoded = W::decode(again.as_slice()).expect("what was written");
    assert_eq!(D::try_from(&decoded).expect("what was written"), domain);
    // Nothing that is not in the domain type is carried on.
    assert_eq!(W::from(&domain).encode_to_vec(), again);
}

fn attestation() -> v1::Attestation {
    let digest = StatementDigest::from_bytes(&[5; 32]).unwrap();
    let secret = SecretKey::derive_master(&[6; 32]).unwrap();
    (&Attestation::sign(4, &secret, &digest)).into()
}

#[test]
fn fuzz_statements_on_the_wire() {
    let (statement, _) = sample();
    let by_payload = Statement { whole_until: 3600, ..statement };
    let seeds = [statement, by_payload].map(|statement| v1::Statement::from(&statement).encode_to_vec());
    Target::new("statements on the wire", seeds).run(comes_back::<v1::Statement, Statement>);
}

#[test]
fn fuzz_attestations_on_the_wire() {
    Target::new("attestations on the wire", [attestation().encode_to_vec()]).run(|bytes| {
        let Ok(wire) = v1::Attestation::decode(bytes) else { return };
        let Ok(attestation) = Attestation::try_from(&wire) else { return };
        let back = v1::Attestation::from(&attestation);
        assert_eq!((back.slot, &back.signature), (wire.slot, &wire.signature), "a point has one encoding");
    });
}

#[test]
fn fuzz_commitments_on_the_wire() {
    let (_, commitment) = sample();
    let header = v1::StoreShardHeader {
        statement: Some((&sample().0).into()),
        disperser_signature: Bytes::from_static(&[1; 65]),
        shard_index: 3,
        shard_roots: digests_to_bytes(commitment.shard_roots()),
        fingerprints: commitment.fingerprints().clone(),
    };
    let blob = *commitment.blob();
    let seeds = [v1::Commitment::from(&commitment).encode_to_vec(), header.encode_to_vec()];
    Target::new("commitments on the wire", seeds).run(|bytes| {
        // One that is accepted is the one of its blob: the blob's hashes cover all of it.
        if let Ok(wire) = v1::Commitment::decode(bytes)
            && let Ok(commitment) = Commitment::try_from(&wire)
        {
            assert_eq!(Blob::try_from(wire.blob.as_ref().unwrap()).unwrap(), *commitment.blob());
            assert_eq!(v1::Commitment::from(&commitment).shard_roots, wire.shard_roots);
            assert_eq!(v1::Commitment::from(&commitment).fingerprints, wire.fingerprints);
        }
        if let Ok(header) = v1::StoreShardHeader::decode(bytes)
            && let Ok(got) = super::super::commitment(blob, &header.shard_roots, header.fingerprints.clone())
        {
            assert_eq!((got.id(), got.shard_roots()), (commitment.id(), commitment.shard_roots()));
        }
    });
}

#[test]
fn fuzz_fields_on_the_wire() {
    let ids: Vec<u8> = (0..6u8).flat_map(|number| [number; 32]).collect();
    Target::new("fields on the wire", [vec![7; 32], vec![7; 65], vec![1; 31], ids]).run(|bytes| {
        let length = bytes.len();
        assert_eq!(blob_id(bytes).is_ok(), length == 32);
        assert_eq!(namespace(bytes).is_ok(), length == 32);
        assert_eq!(digest("x", bytes).is_ok(), length == 32);
        if let Ok(signature) = disperser_signature(bytes) {
            assert_eq!(signature.to_bytes().as_slice(), bytes);
        }
        match blob_ids(bytes) {
            Ok(ids) => assert_eq!(blob_ids_to_bytes(&ids), bytes),
            Err(_) => assert!(length == 0 || !length.is_multiple_of(32) || length > 4096 * 32),
        }
        for count in [0, 1, 5, 126] {
            match digests("x", bytes, count) {
                Ok(digests) => assert_eq!(digests_to_bytes(&digests), bytes),
                Err(_) => assert_ne!(length, count * 32),
            }
        }
    });
}
