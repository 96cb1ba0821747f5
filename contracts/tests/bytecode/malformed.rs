//! Calls that are not ABI-encoded. "No input reverts" is meant of the bytes of a certificate, checkpoint or proof: what
//! is no call of the function reverts in its decoder, without a verdict.

use alloy::{
    primitives::{B256, Bytes, U256},
    sol_types::{SolCall, SolValue as _},
};
use holdfast_registry::Status;

use crate::{
    abi::Registry,
    fixture::{FIVE, Fixture},
};

#[test]
fn a_call_that_is_not_abi_encoded_reverts_and_is_no_verdict() {
    let fixture = Fixture::new(FIVE);
    let call = Registry::verifyCall { certificate: fixture.certificate().into(), atTime: fixture.chain.time };
    let good = call.abi_encode();
    let answer = fixture.chain.call_bytes(fixture.registry, good.clone().into());
    assert!(answer.success && answer.output[..] == U256::from(1).to_be_bytes::<32>(), "OK: {answer:?}");

    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let cases = [
        ("no arguments", good[..4].to_vec()),
        ("one word", good[..36].to_vec()),
        ("no selector", good[..3].to_vec()),
        ("an unknown function", changed(0, good[0] ^ 1)),
        ("an offset past the end", changed(4, 1)),
        ("a time above 64 bits", changed(4 + 32 + 23, 1)),
        ("a length past the end", changed(4 + 64 + 29, 1)),
        ("a length of 2^255", changed(4 + 64, 0x80)),
        ("bytes that are cut short", good[..good.len() - 32].to_vec()),
    ];
    for (name, bytes) in cases {
        let outcome = fixture.chain.call_bytes(fixture.registry, bytes.into());
        assert!(!outcome.success, "{name}");
        assert_eq!(outcome.output, Bytes::new(), "{name}: no error of the registry's");
    }
}

/// Whatever the bytes, the three that judge give a status, and `openPayload` a no.
#[test]
fn bytes_of_any_length_are_a_status() {
    let fixture = Fixture::new(FIVE);
    let certificate = fixture.certificate();
    for length in 0..=400usize {
        let bytes: Vec<u8> = certificate.iter().copied().cycle().take(length).collect();
        let expected = if length == certificate.len() { Status::Ok } else { Status::Malformed };
        assert_eq!(fixture.verdict(&bytes), expected, "{length} bytes");
        assert_eq!(fixture.genuine(&bytes), expected, "{length} bytes");
        let bytes = Bytes::from(bytes);
        let at_time = fixture.chain.time;
        let checkpoint = Registry::verifyCheckpointCall { checkpoint: bytes.clone(), atTime: at_time };
        assert_eq!(fixture.chain.call(fixture.registry, &checkpoint), Status::Malformed as u8, "{length} bytes");
        let proof = Registry::verifyInCheckpointCall { blobId: B256::ZERO, proof: bytes, atTime: at_time };
        assert_eq!(fixture.chain.call(fixture.registry, &proof), Status::Malformed as u8, "{length} bytes");
    }
    // Nothing at all behind the words that say where it is.
    let call = [&Registry::verifyCall::SELECTOR[..], &(Bytes::new(), 7u64).abi_encode_params()].concat();
    assert_eq!(fixture.chain.call_bytes(fixture.registry, call.into()).output[31], Status::Malformed as u8);
}
