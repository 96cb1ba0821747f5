//! The golden vectors of testdata/golden/checkpoint.json, written by an independent program.

use std::collections::HashMap;

use holdfast_certificate::{
    Address, Attestation, Checkpoint, CheckpointCertificate, CheckpointProof, Committee, CommitteeParameters,
    DisperserKey, DisperserSignature, Domain, Namespace, ProofOfPossession, ProvenKey, PublicKey, Registration,
    SecretKey, Signature, StatementDigest,
};
use holdfast_erasure::{BlobId, Digest, Parameters, sha256};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    checkpoints: Vec<GoldenCheckpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenCheckpoint {
    name: String,
    committee: String,
    namespace: Namespace,
    epoch: u64,
    blobs_root: Digest,
    count: u32,
    retain_until: u64,
    blob_ids: Option<Vec<BlobId>>,
    digest: StatementDigest,
    digest_point: String,
    disperser_signature: DisperserSignature,
    attestations: Vec<GoldenAttestation>,
    certificates: Vec<GoldenCertificate>,
    refused: Vec<Refused>,
    proofs: Vec<GoldenProof>,
    refused_proofs: Vec<GoldenProof>,
}

#[derive(Deserialize)]
struct GoldenAttestation {
    slot: u16,
    signature: Signature,
}

#[derive(Deserialize)]
struct GoldenCertificate {
    signers: Vec<u16>,
    compact: String,
    l1: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    compact: Option<String>,
    l1: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenProof {
    name: Option<String>,
    index: Option<u32>,
    blob_id: BlobId,
    encoded: String,
}

/// What is taken from certificate.json.
#[derive(Deserialize)]
struct Signers {
    committees: Vec<GoldenCommittee>,
    disperser: Disperser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disperser {
    private_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenCommittee {
    name: String,
    epoch: u64,
    original_shards: u16,
    total_shards: u16,
    threshold: u16,
    max_payload: u32,
    domains: Vec<GoldenDomain>,
    members: Vec<Member>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenDomain {
    name: String,
    chain_id: u64,
    registry: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    secret_key: String,
    public_key: PublicKey,
    proof_of_possession: ProofOfPossession,
    account: Address,
}

fn golden() -> Vec<GoldenCheckpoint> {
    let text = include_str!("../../../testdata/golden/checkpoint.json");
    let golden: Golden = serde_json::from_str(text).expect("the format this test reads");
    assert!(golden.checkpoints.len() >= 7);
    golden.checkpoints
}

fn signers() -> Signers {
    serde_json::from_str(include_str!("../../../testdata/golden/certificate.json")).expect("the format this test reads")
}

fn committees(signers: &Signers) -> HashMap<String, Committee> {
    signers.committees.iter().map(|golden| (golden.name.clone(), golden.committee())).collect()
}

impl GoldenCommittee {
    fn committee(&self) -> Committee {
        let code = Parameters::new(self.original_shards, self.total_shards).expect("possible numbers of shards");
        let parameters = CommitteeParameters::new(code, self.threshold, self.max_payload).expect("possible");
        let on_chain = self.domains.iter().find(|domain| domain.name == "onChain").expect("a domain of that name");
        let domain = Domain { chain_id: on_chain.chain_id, registry: on_chain.registry };
        let check = |member: &Member| {
            let registration = Registration { domain, account: member.account };
            ProvenKey::check(member.public_key, member.proof_of_possession, &registration).expect("a sound proof")
        };
        let keys = self.members.iter().map(check).collect();
        Committee::new(domain, self.epoch, parameters, keys).expect("a sound committee")
    }
}

impl GoldenCheckpoint {
    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            namespace: self.namespace,
            epoch: self.epoch,
            blobs_root: self.blobs_root,
            count: self.count,
            retain_until: self.retain_until,
        }
    }

    fn ids(&self) -> Vec<BlobId> {
        let id = |number| sha256(format!("holdfast golden checkpoint {}/{number}", self.count).as_bytes()).into();
        let mut ids: Vec<BlobId> = (0..self.count).map(id).collect();
        ids.sort_unstable();
        ids
    }
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").expect("0x")).expect("hex")
}

fn hexed(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[test]
fn checkpoints_digests_and_signatures_are_the_same() {
    let signers = signers();
    let committees = committees(&signers);
    let disperser = DisperserKey::from_hex(&signers.disperser.private_key).expect("a key");
    let mut one = [0; 32];
    one[31] = 1;
    let one = SecretKey::from_bytes(&one).expect("a scalar");
    for golden in golden() {
        let here = &golden.name;
        let committee = &committees[&golden.committee];
        let ids = golden.ids();
        assert!(golden.blob_ids.as_ref().is_none_or(|listed| *listed == ids), "{here}");
        let checkpoint = Checkpoint::over(golden.namespace, golden.epoch, &ids, golden.retain_until).expect("sound");
        assert_eq!(checkpoint, golden.checkpoint(), "{here}");
        let digest = checkpoint.digest(committee.domain());
        assert_eq!(digest, golden.digest, "{here}");
        assert_eq!(disperser.sign(&digest), golden.disperser_signature, "{here}");
        // The secret key 1 signs with the point that the digest hashes to.
        assert_eq!(hexed(Attestation::sign(0, &one, &digest).signature.to_eip2537()), golden.digest_point, "{here}");
        let members = &signers.committees.iter().find(|one| one.name == golden.committee).expect("there").members;
        assert_eq!(golden.attestations.len(), members.len());
        for attestation in &golden.attestations {
            let secret = bytes(&members[usize::from(attestation.slot)].secret_key);
            let secret = SecretKey::from_bytes(&secret).expect("a scalar");
            let signed = Attestation::sign(attestation.slot, &secret, &digest);
            assert_eq!(signed.signature, attestation.signature, "{here}");
        }
    }
}

#[test]
fn checkpoint_certificates_are_the_same() {
    let committees = committees(&signers());
    for golden in golden() {
        let committee = &committees[&golden.committee];
        for expected in &golden.certificates {
            let here = format!("{} {:?}", golden.name, expected.signers);
            let attestations: Vec<_> = expected
                .signers
                .iter()
                .map(|slot| Attestation { slot: *slot, signature: golden.attestations[usize::from(*slot)].signature })
                .collect();
            let made = CheckpointCertificate::aggregate(committee, golden.checkpoint(), &attestations);
            let made = made.expect("a quorum");
            assert_eq!(hexed(made.encode()), expected.compact, "{here}");
            assert_eq!(hexed(made.encode_l1()), expected.l1, "{here}");
            for decoded in [
                CheckpointCertificate::decode(&bytes(&expected.compact), committee.len()),
                CheckpointCertificate::decode_l1(&bytes(&expected.l1), committee.len()),
            ] {
                let decoded = decoded.expect("well-formed");
                assert_eq!(decoded.signer_slots(), expected.signers, "{here}");
                assert_eq!(decoded.verify(committee).expect("genuine"), made, "{here}");
            }
            assert_eq!(Checkpoint::peek(&bytes(&expected.l1)).expect("a head"), golden.checkpoint(), "{here}");
        }
    }
}

#[test]
fn faulty_checkpoints_are_refused() {
    let committees = committees(&signers());
    for golden in golden() {
        let committee = &committees[&golden.committee];
        assert!(golden.refused.len() >= 12);
        for case in &golden.refused {
            let here = format!("{} {}", golden.name, case.name);
            assert!(case.compact.is_some() || case.l1.is_some(), "{here}");
            let n = committee.len();
            let compact = case.compact.as_ref().map(|text| CheckpointCertificate::decode(&bytes(text), n));
            let l1 = case.l1.as_ref().map(|text| CheckpointCertificate::decode_l1(&bytes(text), n));
            for decoded in [compact, l1].into_iter().flatten() {
                let error = decoded.and_then(|decoded| decoded.verify(committee)).expect_err(&here).to_string();
                assert!(error.contains(reason(&case.name)), "{here}: {error}");
            }
        }
    }
}

#[test]
fn proofs_of_inclusion_are_the_same() {
    for golden in golden() {
        let ids = golden.ids();
        for expected in &golden.proofs {
            let here = format!("{} {:?}", golden.name, expected.index);
            let built = CheckpointProof::build(golden.checkpoint(), &ids, &expected.blob_id).expect("among them");
            assert_eq!(Some(built.index()), expected.index, "{here}");
            assert_eq!(hexed(built.encode()), expected.encoded, "{here}");
            let decoded = CheckpointProof::decode(&bytes(&expected.encoded)).expect("well-formed");
            assert_eq!(decoded, built, "{here}");
            decoded.verify(&expected.blob_id).expect("leads to the root");
        }
    }
}

#[test]
fn faulty_proofs_are_refused() {
    for golden in golden() {
        assert!(golden.refused_proofs.len() >= 7);
        for case in &golden.refused_proofs {
            let name = case.name.as_deref().expect("a fault has a name");
            let here = format!("{} {name}", golden.name);
            let decoded = CheckpointProof::decode(&bytes(&case.encoded));
            let error = decoded.and_then(|proof| proof.verify(&case.blob_id)).expect_err(&here).to_string();
            assert!(error.contains(reason(name)), "{here}: {error}");
        }
    }
}

/// Part of the message that the fault of that name must give: being refused for something else would prove nothing.
fn reason(fault: &str) -> &'static str {
    match fault {
        "below threshold" => "signers, got",
        "bitmap names others than signed" | "another count" | "an hour later" => "does not verify for this committee",
        "signature is infinity" => "signature must not be the identity",
        "signature not in the subgroup" => "signature is not in the prime-order subgroup",
        "first byte of a certificate" => "checkpoint version must be 193, got 1",
        "one byte short" | "one byte long" | "one hash more" | "one hash less" => "bytes, got",
        "no blob" => "from 1 to 4096 blobs, got 0",
        "too many blobs" => "from 1 to 4096 blobs, got 4097",
        "off the grid" => "retain_until",
        "bitmap bit past the last slot" => "must have no bit at or past",
        "another blob" | "its leaf hash as the blob" | "one bit of the path" | "a node as the blob" => {
            "is not in the checkpoint"
        }
        "index is the count" => "blob index must be below",
        other => panic!("a fault that this test does not know: {other}"),
    }
}
