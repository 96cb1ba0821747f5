//! Whatever bytes come, what decodes encodes to the same bytes, and nothing panics or takes memory by what it is told.

use holdfast_certificate::{
    Address, Certificate, Checkpoint, CheckpointCertificate, CheckpointProof, CommitteeFile, DisperserSignature,
    Endorsement, Keystore, Namespace, ProofOfPossession, PublicKey, Signature, SignerBitmap, Statement,
    StatementDigest, check_endpoint, check_pinned_endpoint,
};
use holdfast_fuzz::{Counting, Target, golden, hex_of};
use serde::{Serialize, de::DeserializeOwned};

use crate::{committee_file, world::World};

#[global_allocator]
static COUNTING: Counting = Counting;

const GOLDEN: &str = include_str!("../../../testdata/golden/certificate.json");
const CHECKPOINTS: &str = include_str!("../../../testdata/golden/checkpoint.json");
const IDENTITY: &str = include_str!("../../../testdata/golden/identity.json");
const KEYSTORES: [&str; 2] =
    [include_str!("../../../testdata/erc2335/pbkdf2.json"), include_str!("../../../testdata/erc2335/scrypt.json")];

#[test]
fn fuzz_certificates() {
    let seeds = [golden(GOLDEN, "compact"), golden(GOLDEN, "l1")].concat();
    let world = World::new(2, 5, 4);
    Target::new("certificates", seeds).memory(32 << 10, 0).run(|bytes| {
        if let Ok(certificate) = Certificate::decode(bytes) {
            assert_eq!(certificate.encode(), bytes);
            assert_eq!(Certificate::decode_l1(&certificate.encode_l1()).expect("the same on L1"), certificate);
            assert_eq!(Certificate::peek(bytes).expect("it decodes"), certificate.statement);
            // Whatever it says, this committee has not signed it.
            certificate.verify(&world.committee).expect_err("of another committee");
        }
        if let Ok(certificate) = Certificate::decode_l1(bytes) {
            assert_eq!(certificate.encode_l1(), bytes);
            assert_eq!(Certificate::decode(&certificate.encode()).expect("the same, compact"), certificate);
        }
        if let Ok(statement) = Certificate::peek(bytes) {
            assert!(statement.blob.parameters().is_ok());
        }
    });
}

#[test]
fn fuzz_checkpoints() {
    let seeds = [golden(CHECKPOINTS, "compact"), golden(CHECKPOINTS, "l1")].concat();
    Target::new("checkpoints", seeds).memory(32 << 10, 0).run(|bytes| {
        let head = Checkpoint::peek(bytes);
        for members in [0, 1, 5, 8, 9, 40, 126, 127, u16::MAX] {
            if let Ok(checkpoint) = CheckpointCertificate::decode(bytes, members) {
                assert_eq!(checkpoint.encode(), bytes);
                assert_eq!(*head.as_ref().expect("it decodes"), checkpoint.checkpoint);
                let l1 = CheckpointCertificate::decode_l1(&checkpoint.encode_l1(), members);
                assert_eq!(l1.expect("the same on L1"), checkpoint);
            }
            if let Ok(checkpoint) = CheckpointCertificate::decode_l1(bytes, members) {
                assert_eq!(checkpoint.encode_l1(), bytes);
                let compact = CheckpointCertificate::decode(&checkpoint.encode(), members);
                assert_eq!(compact.expect("the same, compact"), checkpoint);
            }
        }
    });
}

#[test]
fn fuzz_checkpoint_proofs() {
    let seeds = golden(CHECKPOINTS, "encoded");
    Target::new("checkpoint proofs", seeds).memory(32 << 10, 64).run(|bytes| {
        if let Ok(proof) = CheckpointProof::decode(bytes) {
            assert_eq!(proof.encode(), bytes);
            assert!(proof.path().len() < 32, "no longer than a tree of 2^31 leaves is high");
        }
    });
}

#[test]
fn fuzz_points_and_signatures() {
    let fields =
        ["signature", "digestPoint", "publicKey", "publicKeyEip2537", "proofOfPossession", "proofOfPossessionEip2537"];
    let mut seeds: Vec<Vec<u8>> = fields.iter().flat_map(|field| golden(GOLDEN, field).into_iter().take(2)).collect();
    seeds.extend(golden(GOLDEN, "compressed"));
    seeds.extend(golden(GOLDEN, "disperserSignature").into_iter().take(2));
    Target::new("points", seeds).memory(32 << 10, 0).run(|bytes| {
        if let Ok(signature) = Signature::from_bytes(bytes) {
            assert_eq!(signature.to_bytes().as_slice(), bytes);
            assert_eq!(Signature::from_eip2537(&signature.to_eip2537()).expect("the same point"), signature);
        }
        if let Ok(signature) = Signature::from_eip2537(bytes) {
            assert_eq!(signature.to_eip2537().as_slice(), bytes);
        }
        if let Ok(key) = PublicKey::from_bytes(bytes) {
            assert_eq!(key.to_bytes().as_slice(), bytes);
            assert_eq!(PublicKey::from_eip2537(&key.to_eip2537()).expect("the same point"), key);
        }
        if let Ok(key) = PublicKey::from_eip2537(bytes) {
            assert_eq!(key.to_eip2537().as_slice(), bytes);
        }
        if let Ok(proof) = ProofOfPossession::from_bytes(bytes) {
            assert_eq!(proof.to_bytes().as_slice(), bytes);
        }
        if let Ok(signature) = DisperserSignature::from_bytes(bytes) {
            assert_eq!(signature.to_bytes().as_slice(), bytes);
            // One of a thousand recovers nobody; none panics.
            let _whose = signature.recover(&StatementDigest::from_bytes(&[7; 32]).expect("32 bytes"));
        }
    });
}

#[test]
fn fuzz_signer_bitmaps() {
    Target::new("signer bitmaps", [vec![0b1_0111], vec![0xff; 16], vec![0; 32], [vec![0; 31], vec![0x1f]].concat()])
        .memory(16 << 10, 0)
        .run(|bytes| {
            for members in [0, 1, 5, 8, 9, 126, 127, 128, u16::MAX] {
                if let Ok(set) = SignerBitmap::from_compact(members, bytes) {
                    assert_eq!(set.to_compact(), bytes);
                    assert_eq!(SignerBitmap::from_word(members, &set.to_word()).expect("the same on L1"), set);
                    assert_eq!(set.slots().count(), usize::from(set.count()));
                    assert!(set.slots().all(|slot| slot < members && set.contains(slot)));
                }
                if let Ok(word) = bytes.try_into()
                    && let Ok(set) = SignerBitmap::from_word(members, word)
                {
                    assert_eq!(set.to_word(), *word);
                }
            }
        });
}

#[test]
fn fuzz_tls_endorsements() {
    Target::new("endorsements", golden(IDENTITY, "encoded")).memory(16 << 10, 0).run(|bytes| {
        if let Ok(endorsement) = Endorsement::from_bytes(bytes) {
            assert_eq!(endorsement.to_bytes().as_slice(), bytes);
        }
    });
}

/// JSON that is read is written to what is read to the same.
fn same_json<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&value).expect("has a JSON form");
        assert_eq!(serde_json::from_slice::<T>(&written).expect("what was written"), value);
    }
}

#[test]
fn fuzz_statements_in_json() {
    let world = World::new(2, 5, 4);
    let statement = world.statement();
    let by_payload = Statement { whole_until: 3600, ..statement };
    let seeds = [statement, by_payload].map(|statement| serde_json::to_vec(&statement).expect("JSON"));
    Target::new("statements", seeds).run(|bytes| {
        same_json::<Statement>(bytes);
        if let Ok(statement) = serde_json::from_slice::<Statement>(bytes) {
            let (parameters, digest) = (world.committee.parameters(), world.digest(&statement));
            // Nothing but the statement itself has its digest.
            assert_eq!(digest == world.digest(&world.statement()), statement == world.statement());
            if statement.check(parameters).is_ok() {
                assert!(statement.blob.payload_length <= parameters.max_payload());
            }
        }
    });
}

#[test]
fn fuzz_committee_files() {
    let seeds = committee_file::seeds();
    // A file that parses has its points decompressed, and one that is sound its proofs checked: milliseconds each.
    Target::new("committee files", seeds).cases(6000).memory(256 << 10, 512).run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Ok(file) = CommitteeFile::parse(text) else { return };
        let again = CommitteeFile::parse(&file.to_json()).expect("what was written");
        assert_eq!(again, file);
        if let Ok(committee) = file.committee() {
            assert_eq!(committee.len() as usize, file.members.len());
            assert!(file.members.iter().all(|it| check_pinned_endpoint(&it.endpoint, it.tls_pin.as_ref()).is_ok()));
        }
    });
}

#[test]
fn fuzz_keystores() {
    // What they would cost to open is bounded before it is paid.
    Target::new("keystores", KEYSTORES).run(same_or_refused);
}

fn same_or_refused(bytes: &[u8]) {
    if let Ok(keystore) = serde_json::from_slice::<Keystore>(bytes) {
        let written = serde_json::to_string(&keystore).expect("has a JSON form");
        let again: Keystore = serde_json::from_str(&written).expect("what was written");
        assert_eq!(serde_json::to_string(&again).expect("JSON"), written);
    }
}

#[test]
fn fuzz_texts() {
    let seeds = [
        "https://m0.example:7400",
        "http://[2001:db8::7]:7400/",
        "http://127.0.0.1:65535",
        "0x1219b42c83eb79246643336088fe824e67706822",
        "0xc8db251b91e92ff8362899713878ea6a8405bec66700bc72e892eef6372ab5ab",
    ];
    Target::new("texts", seeds).memory(32 << 10, 16).run(|bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if check_endpoint(text).is_ok() {
            assert!(text.len() <= 255 && !text.chars().any(holdfast_certificate::is_unfit), "{text:?}");
            assert!(text.starts_with("http://") || text.starts_with("https://"));
        }
        if let Ok(address) = text.parse::<Address>() {
            assert_eq!(hex_of(text).as_deref(), Some(address.as_bytes().as_slice()));
        }
        if let Ok(namespace) = text.parse::<Namespace>() {
            assert_eq!(hex_of(text).as_deref(), Some(namespace.as_bytes().as_slice()));
        }
    });
}
