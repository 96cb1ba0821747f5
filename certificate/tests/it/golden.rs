//! The golden vectors of testdata/golden/certificate.json, written by an independent program.

use holdfast_certificate::{
    Address, Attestation, Certificate, Committee, CommitteeParameters, DisperserKey, DisperserSignature, Domain,
    Namespace, ProofOfPossession, ProvenKey, PublicKey, Registration, SecretKey, Signature, Statement, StatementDigest,
};
use holdfast_erasure::{Blob, Parameters};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Golden {
    types: Types,
    disperser: Disperser,
    committees: Vec<GoldenCommittee>,
    refused_signatures: Vec<RefusedPoint>,
    refused_public_keys: Vec<RefusedPoint>,
}

#[derive(Deserialize)]
struct Types {
    blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Disperser {
    private_key: String,
    address: Address,
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
    canonical_bytes: String,
    off_chain_registry: Address,
    aggregate_key: PublicKey,
    domains: Vec<GoldenDomain>,
    members: Vec<Member>,
    statements: Vec<GoldenStatement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenDomain {
    name: String,
    chain_id: u64,
    registry: Address,
    separator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    slot: u16,
    secret_key: String,
    public_key: PublicKey,
    public_key_eip2537: String,
    proof_of_possession: ProofOfPossession,
    proof_of_possession_eip2537: String,
    #[serde(rename = "proofOfPossessionWithoutL1")]
    proof_of_possession_without_l1: ProofOfPossession,
    account: Address,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoldenStatement {
    name: String,
    domain: String,
    namespace: Namespace,
    epoch: u64,
    blob: Blob,
    blob_id: String,
    whole_until: u64,
    retain_until: u64,
    digest: StatementDigest,
    digest_point: String,
    disperser_signature: DisperserSignature,
    attestations: Vec<GoldenAttestation>,
    certificates: Vec<GoldenCertificate>,
    refused: Vec<RefusedCertificate>,
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
struct RefusedCertificate {
    name: String,
    compact: Option<String>,
    l1: Option<String>,
}

#[derive(Deserialize)]
struct RefusedPoint {
    name: String,
    compressed: String,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../testdata/golden/certificate.json")).expect("the format this test reads")
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.strip_prefix("0x").expect("0x")).expect("hex")
}

fn hexed(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

impl GoldenCommittee {
    fn keys(&self) -> Vec<ProvenKey> {
        self.members.iter().map(|member| self.proven(member)).collect()
    }

    /// The key, by its proofs for the registry and for a committee without L1.
    fn proven(&self, member: &Member) -> ProvenKey {
        let check = |proof, registration: &Registration| {
            ProvenKey::check(member.public_key, proof, registration).expect("a sound proof")
        };
        let without = check(member.proof_of_possession_without_l1, &Registration::WITHOUT_L1);
        assert_eq!(check(member.proof_of_possession, &self.registration(member)), without);
        without
    }

    fn registration(&self, member: &Member) -> Registration {
        let on_chain = self.domains.iter().find(|one| one.name == "onChain").expect("a domain of that name");
        let domain = Domain { chain_id: on_chain.chain_id, registry: on_chain.registry };
        Registration { domain, account: member.account }
    }

    fn parameters(&self) -> CommitteeParameters {
        let code = Parameters::new(self.original_shards, self.total_shards).expect("possible numbers of shards");
        CommitteeParameters::new(code, self.threshold, self.max_payload).expect("possible parameters")
    }

    fn committee(&self, domain: &str) -> Committee {
        if domain == "offChain" {
            return Committee::off_chain(self.epoch, self.parameters(), self.keys()).expect("a sound committee");
        }
        let domain = self.domains.iter().find(|one| one.name == domain).expect("a domain of that name");
        let domain = Domain { chain_id: domain.chain_id, registry: domain.registry };
        Committee::new(domain, self.epoch, self.parameters(), self.keys()).expect("a sound committee")
    }

    fn secret(&self, slot: u16) -> SecretKey {
        SecretKey::from_bytes(&bytes(&self.members[usize::from(slot)].secret_key)).expect("a scalar")
    }
}

impl GoldenStatement {
    fn statement(&self) -> Statement {
        Statement {
            namespace: self.namespace,
            epoch: self.epoch,
            blob: self.blob,
            whole_until: self.whole_until,
            retain_until: self.retain_until,
        }
    }
}

#[test]
fn the_blob_type_is_the_same() {
    assert_eq!(golden().types.blob, Blob::TYPE);
}

#[test]
fn members_keys_and_proofs_are_the_same() {
    for committee in golden().committees {
        for member in &committee.members {
            let secret = committee.secret(member.slot);
            assert_eq!(secret.public_key(), member.public_key);
            assert_eq!(hexed(member.public_key.to_eip2537()), member.public_key_eip2537);
            let decoded = PublicKey::from_eip2537(&bytes(&member.public_key_eip2537)).expect("a key");
            assert_eq!(decoded, member.public_key);

            assert_eq!(secret.prove_possession(&committee.registration(member)), member.proof_of_possession);
            let without = secret.prove_possession(&Registration::WITHOUT_L1);
            assert_eq!(without, member.proof_of_possession_without_l1);
            assert_eq!(hexed(member.proof_of_possession.to_eip2537()), member.proof_of_possession_eip2537);
        }
    }
}

#[test]
fn committees_and_domains_are_the_same() {
    for golden in golden().committees {
        for domain in &golden.domains {
            let committee = golden.committee(&domain.name);
            assert_eq!(hexed(committee.canonical_bytes()), golden.canonical_bytes, "{}", golden.name);
            assert_eq!(committee.aggregate(), golden.aggregate_key);
            assert_eq!(committee.domain().registry, domain.registry);
            assert_eq!(committee.domain().separator().to_string(), domain.separator);
        }
        assert_eq!(golden.committee("offChain").domain().registry, golden.off_chain_registry);
    }
}

#[test]
fn statements_digests_and_signatures_are_the_same() {
    let golden = golden();
    let disperser = DisperserKey::from_hex(&golden.disperser.private_key).expect("a key");
    assert_eq!(disperser.address(), golden.disperser.address);
    let mut one = [0; 32];
    one[31] = 1;
    let one = SecretKey::from_bytes(&one).expect("a scalar");
    for committee in &golden.committees {
        for expected in &committee.statements {
            let here = format!("{} {}", committee.name, expected.name);
            let verifier = committee.committee(&expected.domain);
            let statement = expected.statement();
            statement.check(verifier.parameters()).expect("sound");
            assert_eq!(statement.blob.id().to_string(), expected.blob_id, "{here}");
            let digest = statement.digest(verifier.domain());
            assert_eq!(digest, expected.digest, "{here}");

            assert_eq!(disperser.sign(&digest), expected.disperser_signature, "{here}");
            let recovered = expected.disperser_signature.recover(&digest).expect("a signature");
            assert_eq!(recovered, golden.disperser.address, "{here}");

            // The secret key 1 signs with the point that the digest hashes to.
            let point = Attestation::sign(0, &one, &digest).signature;
            assert_eq!(hexed(point.to_eip2537()), expected.digest_point, "{here}");
            assert_eq!(expected.attestations.len(), verifier.keys().len());
            for attestation in &expected.attestations {
                let signed = Attestation::sign(attestation.slot, &committee.secret(attestation.slot), &digest);
                assert_eq!(signed.signature, attestation.signature, "{here}");
                signed.verify(&verifier, &digest).expect("a member's");
            }
        }
    }
}

#[test]
fn certificates_are_the_same() {
    let mut seen = 0;
    for committee in golden().committees {
        for expected in &committee.statements {
            let verifier = committee.committee(&expected.domain);
            for golden in &expected.certificates {
                let here = format!("{} {} {:?}", committee.name, expected.name, golden.signers);
                let attestations: Vec<_> = golden
                    .signers
                    .iter()
                    .map(|slot| {
                        let signature = expected.attestations[usize::from(*slot)].signature;
                        Attestation { slot: *slot, signature }
                    })
                    .collect();
                let certificate =
                    Certificate::aggregate(&verifier, expected.statement(), &attestations).expect("a quorum");
                assert_eq!(hexed(certificate.encode()), golden.compact, "{here}");
                assert_eq!(hexed(certificate.encode_l1()), golden.l1, "{here}");

                for decoded in
                    [Certificate::decode(&bytes(&golden.compact)), Certificate::decode_l1(&bytes(&golden.l1))]
                {
                    let decoded = decoded.expect("well-formed");
                    assert_eq!(decoded.statement, expected.statement(), "{here}");
                    assert_eq!(decoded.signer_slots(), golden.signers, "{here}");
                    assert_eq!(decoded.verify(&verifier).expect("genuine"), certificate, "{here}");
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 30, "{seen} certificates");
}

#[test]
fn faulty_certificates_are_refused() {
    for committee in golden().committees {
        for expected in &committee.statements {
            let verifier = committee.committee(&expected.domain);
            assert!(!expected.refused.is_empty());
            for case in &expected.refused {
                let here = format!("{} {} {}", committee.name, expected.name, case.name);
                assert!(case.compact.is_some() || case.l1.is_some(), "{here}");
                let compact = case.compact.as_ref().map(|text| Certificate::decode(&bytes(text)));
                let l1 = case.l1.as_ref().map(|text| Certificate::decode_l1(&bytes(text)));
                for decoded in [compact, l1].into_iter().flatten() {
                    let verified = decoded.and_then(|certificate| certificate.verify(&verifier));
                    let error = verified.expect_err(&here).to_string();
                    assert!(error.contains(reason(&case.name)), "{here}: {error}");
                }
            }
        }
    }
}

/// Part of the message that the fault of that name must give: being refused for something else would prove nothing.
fn reason(fault: &str) -> &'static str {
    match fault {
        "below threshold" => "signers, got",
        "bitmap names others than signed" => "does not verify for this committee",
        "no signer" | "signature is infinity" => "signature must not be the identity",
        "signature not in the subgroup" => "signature is not in the prime-order subgroup",
        "version 2" => "version must be 1, got 2",
        "one byte short" | "one byte long" => "certificate must be",
        "bitmap bit past the last slot" => "must have no bit at or past",
        "y of the signature is not reduced" => "signature is not a canonical point encoding",
        other => panic!("a fault that this test does not know: {other}"),
    }
}

#[test]
fn faulty_points_are_refused() {
    let golden = golden();
    assert!(!golden.refused_signatures.is_empty() && !golden.refused_public_keys.is_empty());
    for case in golden.refused_signatures {
        assert!(Signature::from_bytes(&bytes(&case.compressed)).is_err(), "signature: {}", case.name);
        assert!(ProofOfPossession::from_bytes(&bytes(&case.compressed)).is_err(), "proof: {}", case.name);
    }
    for case in golden.refused_public_keys {
        assert!(PublicKey::from_bytes(&bytes(&case.compressed)).is_err(), "public key: {}", case.name);
    }
}
