//! The vectors of `verify` and `verifySignature`.

use alloy::primitives::Bytes;
use holdfast_certificate::{Certificate, Committee};
use holdfast_registry::Status;
use serde_json::Value;

use super::{Golden, MIN_RETENTION, active_from, attestations, during, list, unhex, with_one_signature, word};
use crate::abi::Registry;

impl Golden {
    /// certificate.json: by each committee statements by shard, by payload and of a committee without L1.
    pub(super) fn genuine(&mut self, vectors: &Value) {
        let (mut genuine, mut refused) = (0, 0);
        for committee in list(&vectors["committees"]) {
            let time = during(committee["epoch"].as_u64().unwrap());
            for statement in list(&committee["statements"]) {
                let on_chain = statement["domain"] == "onChain";
                for vector in list(&statement["certificates"]) {
                    let certificate = Bytes::from(unhex(&vector["l1"]));
                    let expected = if on_chain { Status::Ok } else { Status::BadSignature };
                    self.signature("a golden certificate", &certificate, expected);
                    // Nobody can own these namespaces, which are no hash of an account and a salt.
                    self.verdict("a golden certificate", &certificate, time, Status::UnknownNamespace);
                    genuine += usize::from(on_chain);
                }
                for vector in list(&statement["refused"]).iter().filter(|_| on_chain) {
                    let name = vector["name"].as_str().unwrap();
                    self.signature(name, &unhex(&vector["l1"]).into(), fault(name));
                    refused += 1;
                }
            }
        }
        assert_eq!((genuine, refused), (30, 80));
    }

    /// foundry.json: statements in a namespace that exists, signed by each slot.
    pub(super) fn statements(&mut self, vectors: &Value, committees: &[Committee]) {
        let retain_until = vectors["retainUntil"].as_u64().unwrap();
        for (epoch, name) in [(1, "n5"), (2, "n7"), (3, "n20"), (4, "n10"), (2, "n7 by payload")] {
            let vector = &vectors["statements"][name];
            let committee = &committees[usize::try_from(epoch).unwrap() - 1];
            let statement = Certificate::decode_l1(&with_one_signature(vector)).unwrap().statement;
            assert_eq!(statement.blob.id().as_bytes()[..], word(&vector["blobId"])[..], "{name}");
            assert_eq!(statement.digest(committee.domain()).as_bytes()[..], word(&vector["digest"])[..], "{name}");
            let signed = Certificate::aggregate(committee, statement, &attestations(vector)).unwrap();
            let good = Bytes::from(signed.into_inner().encode_l1().to_vec());
            self.signature(name, &good, Status::Ok);
            let next = if epoch == 4 { Status::RetentionTooShort } else { Status::EpochClosed };
            let at_its_end = if epoch == 4 { retain_until - MIN_RETENTION + 1 } else { active_from(epoch + 1) };
            for (time, expected) in [
                (active_from(epoch) - 1, Status::NotYet),
                (active_from(epoch), Status::Ok),
                (during(epoch), Status::Ok),
                (at_its_end - 1, Status::Ok),
                (at_its_end, next),
            ] {
                self.verdict(name, &good, time, expected);
            }
        }
        for (name, expected) in [
            ("other chain", Status::BadSignature),
            ("other registry", Status::BadSignature),
            ("other namespace", Status::UnknownNamespace),
        ] {
            let one = with_one_signature(&vectors["statements"][name]);
            // The signature is the first slot's; the claim is that all five signed.
            let mut claimed = one;
            claimed[192] = 0x1f;
            self.verdict(name, &claimed.into(), during(1), expected);
        }
    }

    fn signature(&mut self, name: &str, certificate: &Bytes, expected: Status) {
        self.judge(name, &Registry::verifySignatureCall { certificate: certificate.clone() }, expected);
    }

    fn verdict(&mut self, name: &str, certificate: &Bytes, time: u64, expected: Status) {
        self.judge(name, &Registry::verifyCall { certificate: certificate.clone(), atTime: time }, expected);
    }
}

/// What is wrong with a refused certificate.
fn fault(name: &str) -> Status {
    match name {
        "below threshold" => Status::BelowThreshold,
        "bitmap names others than signed" | "signature not in the subgroup" => Status::BadSignature,
        _ => Status::Malformed,
    }
}
