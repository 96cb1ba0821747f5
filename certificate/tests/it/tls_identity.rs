//! Endorsements of TLS keys: the golden vectors of testdata/golden/identity.json, written by an independent program, and what
//! an endorsement is not good for.

use holdfast_certificate::{
    Address, Attestation, Checkpoint, Domain, Endorsement, Error, Namespace, PublicKey, Registration, SecretKey,
};
use serde::Deserialize;

use crate::world::secret;

const DOMAIN: Domain = Domain { chain_id: 5, registry: Address::ZERO };
const TLS_KEY: [u8; 32] = [0xab; 32];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    endorsements: Vec<Vector>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    secret_key: String,
    public_key: PublicKey,
    chain_id: u64,
    registry: Address,
    tls_key_hash: String,
    not_before: u64,
    not_after: u64,
    encoded: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    encoded: String,
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.trim_start_matches("0x")).expect("hex")
}

#[test]
fn endorsements_are_those_of_the_independent_program() {
    let golden: Golden = serde_json::from_str(include_str!("../../../testdata/golden/identity.json"))
        .expect("the format this test reads");
    assert!(golden.endorsements.len() >= 3 && golden.refused.len() >= 6);
    for vector in &golden.endorsements {
        let secret = SecretKey::from_bytes(&bytes(&vector.secret_key)).expect("a key");
        assert_eq!(secret.public_key(), vector.public_key);
        let domain = Domain { chain_id: vector.chain_id, registry: vector.registry };
        let tls_key: [u8; 32] = bytes(&vector.tls_key_hash).try_into().expect("32 bytes");
        let signed = Endorsement::sign(&secret, &domain, &tls_key, vector.not_before, vector.not_after).expect("times");
        assert_eq!(signed.to_bytes()[..], bytes(&vector.encoded));
        let decoded = Endorsement::from_bytes(&bytes(&vector.encoded)).expect("its own encoding");
        assert_eq!(decoded, signed);
        for now in [vector.not_before, vector.not_after - 1] {
            decoded.verify(&vector.public_key, &domain, &tls_key, now).expect("good");
        }
    }
    for Refused { name, encoded } in &golden.refused {
        assert!(Endorsement::from_bytes(&bytes(encoded)).is_err(), "{name}");
    }
}

#[test]
fn an_endorsement_is_good_for_one_member_one_registry_one_key_and_its_time() {
    let endorsement = Endorsement::sign(&secret(1), &DOMAIN, &TLS_KEY, 1000, 2000).expect("a time");
    let verify = |member: &SecretKey, domain: Domain, key: [u8; 32], now| {
        endorsement.verify(&member.public_key(), &domain, &key, now)
    };
    verify(&secret(1), DOMAIN, TLS_KEY, 1500).expect("good");
    for wrong in [
        verify(&secret(2), DOMAIN, TLS_KEY, 1500),
        verify(&secret(1), Domain { chain_id: 6, ..DOMAIN }, TLS_KEY, 1500),
        verify(&secret(1), Domain { registry: Address::from([1; 20]), ..DOMAIN }, TLS_KEY, 1500),
        verify(&secret(1), DOMAIN, [0xac; 32], 1500),
    ] {
        let error = wrong.expect_err("of something else");
        assert!(matches!(error, Error::NotEndorsed { .. }), "{error}");
    }
    for now in [999, 2000] {
        let error = verify(&secret(1), DOMAIN, TLS_KEY, now).expect_err("at another time");
        assert!(matches!(error, Error::EndorsementTime { .. }), "{error}");
    }
    // Other times under the same signature.
    let mut longer = endorsement.to_bytes();
    longer[16] ^= 1;
    let longer = Endorsement::from_bytes(&longer).expect("well formed");
    assert!(matches!(longer.verify(&secret(1).public_key(), &DOMAIN, &TLS_KEY, 1500), Err(Error::NotEndorsed { .. })));
}

#[test]
fn no_other_signature_of_a_member_is_an_endorsement() {
    let member = secret(1);
    let possession = member.prove_possession(&Registration { domain: DOMAIN, account: Address::ZERO }).to_bytes();
    let blobs = [holdfast_erasure::BlobId::from([7; 32])];
    let signed = Checkpoint::over(Namespace::from([1; 32]), 1, &blobs, 3600).expect("one blob").digest(&DOMAIN);
    let attestation = Attestation::sign(1, &member, &signed).signature.to_bytes();
    let sound = Endorsement::sign(&member, &DOMAIN, &TLS_KEY, 1000, 2000).expect("a time").to_bytes();
    for signature in [possession, attestation] {
        let mut forged = sound;
        forged[17..].copy_from_slice(&signature);
        let forged = Endorsement::from_bytes(&forged).expect("well formed");
        let error = forged.verify(&member.public_key(), &DOMAIN, &TLS_KEY, 1500).expect_err("no endorsement");
        assert!(matches!(error, Error::NotEndorsed { .. }), "{error}");
    }
}

#[test]
fn an_endorsement_for_no_time_or_for_ever_is_refused() {
    for (before, after) in [(5, 5), (6, 5), (0, u64::MAX), (0, Endorsement::LONGEST + 1)] {
        assert!(Endorsement::sign(&secret(1), &DOMAIN, &TLS_KEY, before, after).is_err(), "{before} to {after}");
    }
    Endorsement::sign(&secret(1), &DOMAIN, &TLS_KEY, 0, Endorsement::LONGEST).expect("the longest");
}
