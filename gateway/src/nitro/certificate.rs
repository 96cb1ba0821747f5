//! What goes to L1 as a batch's certificate, and when it is valid.
//!
//! ```text
//! 01 | 48 | certificate in the L1 encoding 321
//! ```
//!
//! `01` is Nitro's header byte of a DA provider, `48` ("H") says whose. The L1 encoding, since a contract has to check it.
//!
//! # Valid
//!
//! Decodes, is of this rollup's namespace, was dispersed by payload, and is signed by a threshold of the committee of its
//! epoch. No time is in it: the node that replays a batch, the prover and the contract must say the same for ever.

use holdfast_certificate::{Certificate, Namespace, VerifiedCertificate};
use holdfast_erasure::{Digest, keccak256};

use super::errors::RpcError;
use crate::{app::App, failure::Failure};

/// Nitro's header byte of a DA provider (`CustomDA`).
pub(super) const HEADER: u8 = 0x01;
/// Whose certificates these are.
const PROVIDER: u8 = 0x48;
/// The head of a sequencer message, before its certificate: five numbers of 8 bytes.
const MESSAGE_HEAD: usize = 40;

/// The certificate's bytes on L1.
pub(super) fn encode(certificate: &Certificate) -> Vec<u8> {
    [&[HEADER, PROVIDER], certificate.encode_l1().as_slice()].concat()
}

/// The certificate in a sequencer message.
pub(super) fn of_message(message: &[u8]) -> Result<&[u8], RpcError> {
    match message.split_at_checked(MESSAGE_HEAD) {
        Some((_, certificate @ [HEADER, ..])) => Ok(certificate),
        // Another way of posting, from before or after the chain used this one: no certificate of this provider is judged.
        Some((_, [other, ..])) => {
            Err(RpcError::failed(format!("the message's header byte is 0x{other:02x}, this provider's is 0x01")))
        }
        _ => Err(RpcError::parameters(format!(
            "expected a sequencer message of more than {MESSAGE_HEAD} bytes, got {}",
            message.len()
        ))),
    }
}

/// Under which hash a prover asks for the payload.
pub(super) fn hash(certificate: &[u8]) -> Digest {
    keccak256(certificate)
}

/// Judges a certificate as the contract does.
pub(super) async fn verify(app: &App, bytes: &[u8]) -> Result<VerifiedCertificate, Failure> {
    let invalid = |reason: String| Failure::Certificate(reason);
    let [HEADER, PROVIDER, encoded @ ..] = bytes else {
        return Err(invalid("it is not of this provider".into()));
    };
    let certificate = Certificate::decode_l1(encoded).map_err(|error| invalid(error.to_string()))?;
    let newest = app.backend.newest_epoch().await?.committee.epoch();
    if let Some(namespace) = app.config.namespace {
        of_namespace(&certificate, &namespace).map_err(invalid)?;
    }
    if !certificate.statement.blob.is_by_payload() {
        return Err(invalid("it was dispersed by shard, so that nothing on L1 can open it".into()));
    }
    match app.backend.verify(certificate).await {
        // The next epoch may have been made since what is final; any other that is not there will never have signed this.
        Err(Failure::UnknownEpoch(epoch)) if epoch != newest.saturating_add(1) => {
            Err(invalid(format!("there is no epoch {epoch}")))
        }
        judged => judged,
    }
}

fn of_namespace(certificate: &Certificate, namespace: &Namespace) -> Result<(), String> {
    let got = certificate.statement.namespace;
    if got == *namespace { Ok(()) } else { Err(format!("it is of namespace {got}, expected {namespace}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_long_enough_to_have_a_certificate_or_refused() {
        for length in 0..=MESSAGE_HEAD {
            assert_eq!(of_message(&vec![1; length]).expect_err("too short").code, -32602);
        }
        assert_eq!(of_message(&[1; 43]), Ok([1, 1, 1].as_slice()));
        for foreign in [0x00, 0x08, 0x50, 0x80, 0x88] {
            let message = [[0; MESSAGE_HEAD].as_slice(), &[foreign, 1, 2]].concat();
            let error = of_message(&message).expect_err("another way of posting");
            assert!(error.message.contains(&format!("0x{foreign:02x}")));
            assert!(!error.message.contains("certificate validation failed"));
        }
    }

    #[test]
    fn fuzz_sequencer_messages() {
        let certificates = holdfast_fuzz::golden(include_str!("../../../testdata/golden/certificate.json"), "l1");
        let seeds = certificates.iter().map(|it| [&[0; MESSAGE_HEAD][..], &[HEADER, PROVIDER], it].concat());
        holdfast_fuzz::Target::new("sequencer messages", seeds).run(|message| {
            let Ok(found) = of_message(message) else { return };
            assert_eq!(found, &message[MESSAGE_HEAD..]);
            if let [HEADER, PROVIDER, encoded @ ..] = found
                && let Ok(certificate) = Certificate::decode_l1(encoded)
            {
                assert_eq!(encode(&certificate), found);
            }
        });
    }
}
