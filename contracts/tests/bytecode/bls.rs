//! The Solidity library against the vectors of RFC 9380 and EIP-2537.

use std::path::Path;

use alloy::primitives::{Address, Bytes, U256, U512, keccak256};
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;
use serde_json::Value;

use crate::{
    abi::{Harness, Registry},
    chain::Chain,
    fixture::{FIVE, Fixture, OPERATOR, bitmap, encode_l1, registration, secret_keys},
};

const SPECS: [SpecId; 2] = [SpecId::PRAGUE, SpecId::OSAKA];

/// The precompiles that the registry calls, by the vectors of the EIP and of go-ethereum.
const VECTORS: [(&str, u8); 15] = [
    ("eip2537/map_fp_to_G1_bls.json", 0x10),
    ("eip2537/pairing_check_bls.json", 0x0f),
    ("eip2537/fail-add_G1_bls.json", 0x0b),
    ("eip2537/fail-add_G2_bls.json", 0x0d),
    ("eip2537/fail-pairing_check_bls.json", 0x0f),
    ("go-ethereum/blsG1Add.json", 0x0b),
    ("go-ethereum/blsG1Mul.json", 0x0c),
    ("go-ethereum/blsG2Add.json", 0x0d),
    ("go-ethereum/blsMapG1.json", 0x10),
    ("go-ethereum/blsPairing.json", 0x0f),
    ("go-ethereum/fail-blsG1Add.json", 0x0b),
    ("go-ethereum/fail-blsG1Mul.json", 0x0c),
    ("go-ethereum/fail-blsG2Add.json", 0x0d),
    ("go-ethereum/fail-blsMapG1.json", 0x10),
    ("go-ethereum/fail-blsPairing.json", 0x0f),
];

/// What a transaction with a bad certificate may cost.
const BAD_CERTIFICATE_GAS: u64 = 400_000;

/// p.
const MODULUS: &str =
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

/// (p - 1) / 2: the largest `y` that is not larger than `-y`.
const HALF_OF_MODULUS: &str =
    "0d0088f51cbff34d258dd3db21a5d66bb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555";

#[test]
fn hashes_to_g1_as_rfc_9380_says() {
    let vectors = vectors("rfc9380/BLS12381G1_XMD_SHA-256_SSWU_RO.json");
    let dst = vectors["dst"].as_str().unwrap().as_bytes();
    for spec in SPECS {
        let (chain, harness) = harness(spec);
        for vector in vectors["vectors"].as_array().unwrap() {
            let message = vector["msg"].as_str().unwrap().as_bytes();
            let call = Harness::hashToG1Call { message: message.to_vec().into(), dst: dst.to_vec().into() };
            let point = chain.call(harness, &call);
            let expected = [padded(&unhex(&vector["P"]["x"])), padded(&unhex(&vector["P"]["y"]))].concat();
            assert_eq!(point.to_vec(), expected, "{}", vector["msg"]);
        }
    }
}

#[test]
fn numbers_are_reduced_as_by_the_modexp_precompile() {
    let (chain, harness) = harness(SpecId::OSAKA);
    let modulus = hex::decode(MODULUS).unwrap();
    let mut numbers = vec![vec![0; 64], vec![0xff; 64], [vec![0xff; 32], vec![0; 32]].concat()];
    // Multiples of the modulus, and what is next to them: where a quotient that is estimated goes wrong.
    let p = U512::from_be_slice(&modulus);
    let largest = U512::MAX / p;
    for factor in [U512::ZERO, U512::ONE, U512::from(2), largest / U512::from(3), largest - U512::ONE, largest] {
        for more in 0..3u64 {
            let near = (factor * p).wrapping_add(U512::from(more)).wrapping_sub(U512::ONE);
            numbers.push(near.to_be_bytes::<64>().to_vec());
        }
    }
    numbers.extend((0u32..500).map(|seed| {
        let [a, b] = [0u8, 1].map(|half| keccak256([&seed.to_be_bytes()[..], &[half]].concat()));
        [a.0, b.0].concat()
    }));
    for number in numbers {
        let call =
            Harness::reduceCall { hi: U256::from_be_slice(&number[..32]), lo: U256::from_be_slice(&number[32..]) };
        let reduced = chain.call(harness, &call);
        let lengths = [64u64, 1, 48].map(|length| U256::from(length).to_be_bytes::<32>()).concat();
        let expected = chain.precompile(0x05, &[&lengths[..], &number, &[1], &modulus].concat()).unwrap();
        let reduced = [reduced._0.to_be_bytes::<32>(), reduced._1.to_be_bytes::<32>()].concat();
        assert_eq!(reduced, padded(&expected), "{}", hex::encode(&number));
    }
}

#[test]
fn the_precompiles_answer_as_eip_2537_says() {
    for spec in SPECS {
        let chain = Chain::new(spec);
        for (file, precompile) in VECTORS {
            for vector in all(file) {
                let input = unhex(&vector["Input"]);
                let expected = vector.get("Expected").map(|expected| unhex(expected).into());
                assert_eq!(expected.is_none(), file.contains("/fail-"), "{file}");
                assert_eq!(chain.precompile(precompile, &input), expected, "{file}: {}", vector["Name"]);
            }
        }
    }
}

#[test]
fn points_that_the_precompiles_refuse_are_a_status_as_signatures() {
    let fixture = Fixture::new(FIVE);
    let mut judged = [0; 2];
    for (name, point) in bad_points(128) {
        let point: [u8; 128] = point.try_into().unwrap();
        let certificate = encode_l1(&fixture.statement(), bitmap(&fixture.all()), &point);
        let call = Registry::verifyCall { certificate: certificate.clone().into(), atTime: fixture.chain.time };
        let outcome = fixture.chain.call_with_gas(fixture.registry, &call, 1_000_000);
        assert!(outcome.success, "{name}");
        assert!(outcome.gas_used < BAD_CERTIFICATE_GAS, "{name}: {}", outcome.gas_used);
        let status = fixture.verdict(&certificate);
        // Format is judged by decoding; curve and subgroup by the pairing.
        let expected =
            if name.contains("invalid_field_element") || name.contains("modulus") || name.contains("top_bytes") {
                Status::Malformed
            } else {
                Status::BadSignature
            };
        assert_eq!(status, expected, "{name}");
        judged[usize::from(status == Status::BadSignature)] += 1;
    }
    assert!(judged[0] > 1 && judged[1] > 1, "{judged:?}");
}

#[test]
fn points_that_the_precompiles_refuse_are_no_keys() {
    let (mut chain, registry) = Fixture::empty(SpecId::OSAKA);
    let good = registration(&chain, registry, &secret_keys(0, 1)[0]);
    let points = bad_points(256);
    assert!(points.len() > 4, "{} points", points.len());
    for (name, point) in points {
        let call = Registry::registerKeyCall { key: point.into(), proof: good.proof.clone() };
        let outcome = chain.send(OPERATOR, registry, &call);
        outcome.reverted_with(&Registry::BadProofOfPossession {});
        assert!(outcome.gas_used < BAD_CERTIFICATE_GAS, "{name}: {}", outcome.gas_used);
    }
    for (name, point) in bad_points(128) {
        let call = Registry::registerKeyCall { key: good.key.clone(), proof: point.into() };
        let outcome = chain.send(OPERATOR, registry, &call);
        outcome.reverted_with(&Registry::BadProofOfPossession {});
        assert!(outcome.gas_used < BAD_CERTIFICATE_GAS, "{name}: {}", outcome.gas_used);
    }
}

#[test]
fn negation_and_compression() {
    let (chain, harness) = harness(SpecId::OSAKA);
    for key in secret_keys(0, 16) {
        let public = key.public_key();
        let point = Bytes::from(public.to_eip2537());
        assert_eq!(chain.call(harness, &Harness::compressCall { a: point.clone() }), Bytes::from(public.to_bytes()));

        let negated = chain.call(harness, &Harness::negateCall { a: point.clone() });
        let sum = chain.call(harness, &Harness::addCall { a: point.clone(), b: negated.clone() });
        assert_eq!(sum, Bytes::from(vec![0; 256]));
        // Opposite points differ in the flag alone.
        let mut opposite = public.to_bytes();
        opposite[0] ^= 0x20;
        assert_eq!(chain.call(harness, &Harness::compressCall { a: negated.clone() }), Bytes::from(opposite));
        assert_eq!(chain.call(harness, &Harness::negateCall { a: negated }), point);
    }
}

#[test]
fn compression_decides_by_c0_when_c1_is_zero() {
    let (chain, harness) = harness(SpecId::OSAKA);
    let half = padded(&hex::decode(HALF_OF_MODULUS).unwrap());
    let mut above = half.clone();
    *above.last_mut().unwrap() += 1;
    let zero = vec![0; 64];
    let mut one = zero.clone();
    one[63] = 1;
    let flag = |c0: &[u8], c1: &[u8]| {
        let point = [&[0; 128], c0, c1].concat();
        let encoded = chain.call(harness, &Harness::compressCall { a: point.into() });
        assert_eq!(encoded[0] & 0x80, 0x80);
        encoded[0] & 0x20 != 0
    };
    assert!(!flag(&half, &zero));
    assert!(flag(&above, &zero));
    assert!(!flag(&above, &half));
    assert!(flag(&half, &above));
    assert!(flag(&zero, &above));
    assert!(!flag(&above, &one));
}

/// Points of 128 (G1) or 256 (G2) bytes that the pairing must refuse, with the names of their vectors. The vectors put
/// each beside a good point, and name which of the two is bad.
fn bad_points(length: usize) -> Vec<(String, Vec<u8>)> {
    let (group, range) = if length == 128 { ("G1", 0..128) } else { ("G2", 128..384) };
    let mut points: Vec<(String, Vec<u8>)> = all("eip2537/fail-pairing_check_bls.json")
        .into_iter()
        .filter(|vector| {
            let name = vector["Name"].as_str().unwrap();
            ["field_element", "not_on_curve", "not_in_correct_subgroup", "invalid_curve"].iter().any(|fault| {
                name.contains(&format!("{group}_{fault}"))
                    || name.contains(&format!("{group}_in_correct_subgroup_{fault}"))
            })
        })
        .map(|vector| (vector["Name"].as_str().unwrap().to_owned(), unhex(&vector["Input"])[range.clone()].to_vec()))
        .filter(|(_, point)| point.iter().any(|byte| *byte != 0))
        .collect();
    // The first operand of a failing addition is bad in its format too.
    for vector in all(&format!("eip2537/fail-add_{group}_bls.json")) {
        let name = vector["Name"].as_str().unwrap();
        if ["not_on_curve", "invalid_field_element", "violate_top_bytes"].iter().any(|fault| name.contains(fault)) {
            points.push((name.to_owned(), unhex(&vector["Input"])[..length].to_vec()));
        }
    }
    points
}

fn harness(spec: SpecId) -> (Chain, Address) {
    let mut chain = Chain::new(spec);
    let harness = chain.deploy("test/BlsHarness", &[]);
    (chain, harness)
}

fn vectors(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).expect(file)).expect("JSON")
}

pub(crate) fn all(file: &str) -> Vec<Value> {
    let vectors = vectors(file).as_array().expect("a list").clone();
    assert!(!vectors.is_empty(), "{file}");
    vectors
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string").trim_start_matches("0x")).expect("hex")
}

/// A field element of 48 bytes as the 64 that EIP-2537 makes of it.
fn padded(element: &[u8]) -> Vec<u8> {
    assert_eq!(element.len(), 48);
    [&[0; 16], element].concat()
}
