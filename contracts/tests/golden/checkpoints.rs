//! The vectors of `publishCheckpoint`, `verifyCheckpoint` and `verifyInCheckpoint`.

use alloy::primitives::Bytes;
use holdfast_certificate::{CheckpointCertificate, Committee};
use holdfast_registry::Status;
use serde_json::Value;

use super::{Golden, STRANGER, attestations, during, list, unhex, with_one_signature, word};
use crate::abi::Registry;

impl Golden {
    pub(super) fn checkpoints(&mut self, signed: &Value, vectors: &Value, committees: &[Committee]) {
        for (epoch, name) in [(1, "of 1"), (1, "of 2"), (1, "of 5"), (2, "of 200"), (2, "of 4096")] {
            self.published(name, epoch, &signed["checkpoints"][name], &committees[usize::try_from(epoch).unwrap() - 1]);
        }
        // Of a namespace that nobody can own, so they are judged up to there.
        for vector in list(&vectors["checkpoints"]) {
            let time = during(vector["epoch"].as_u64().unwrap());
            for certificate in list(&vector["certificates"]) {
                self.checkpoint("a golden checkpoint", unhex(&certificate["l1"]), time, Status::UnknownNamespace);
            }
            for refused in list(&vector["refused"]) {
                let expected = match refused["status"].as_str().unwrap() {
                    "MALFORMED" => Status::Malformed,
                    "WRONG_PARAMETERS" => Status::WrongParameters,
                    _ => Status::UnknownNamespace,
                };
                self.checkpoint(refused["name"].as_str().unwrap(), unhex(&refused["l1"]), time, expected);
            }
            for proof in list(&vector["proofs"]) {
                self.inclusion("a golden proof", proof, unhex(&proof["encoded"]), Status::UnknownCheckpoint);
            }
            for proof in list(&vector["refusedProofs"]) {
                let malformed = proof["status"] == "MALFORMED";
                let expected = if malformed { Status::Malformed } else { Status::UnknownCheckpoint };
                self.inclusion(proof["name"].as_str().unwrap(), proof, unhex(&proof["encoded"]), expected);
            }
        }
    }

    /// A checkpoint that is published while its epoch is active, with its proofs.
    fn published(&mut self, name: &str, epoch: u64, vector: &Value, committee: &Committee) {
        let members = committee.len();
        let checkpoint = CheckpointCertificate::decode_l1(&with_one_signature(vector), members).unwrap().checkpoint;
        assert_eq!(checkpoint.digest(committee.domain()).as_bytes()[..], word(&vector["digest"])[..], "{name}");
        let signed = CheckpointCertificate::aggregate(committee, checkpoint, &attestations(vector)).unwrap();
        let encoded = Bytes::from(signed.into_inner().encode_l1());
        self.step(during(epoch), STRANGER, &Registry::publishCheckpointCall { checkpoint: encoded.clone() });
        self.checkpoint(name, encoded.to_vec(), during(epoch), Status::Ok);
        self.checkpoint(name, encoded.to_vec(), during(epoch + 1), Status::EpochClosed);

        let head = unhex(&vector["head"]);
        let ids = list(&vector["blobIds"]);
        let proofs = ids.iter().zip(list(&vector["indices"])).zip(list(&vector["paths"]));
        for (place, ((id, index), path)) in proofs.enumerate() {
            let index = u32::try_from(index.as_u64().unwrap()).unwrap().to_be_bytes();
            let proof = Bytes::from([&head[..], &index, &unhex(path)].concat());
            // Long after its epoch has closed.
            let at_time = during(4);
            let call = Registry::verifyInCheckpointCall { blobId: word(id), proof: proof.clone(), atTime: at_time };
            self.judge(name, &call, Status::Ok);
            let other = word(&ids[(place + 1) % ids.len()]);
            let call = Registry::verifyInCheckpointCall { blobId: other, proof, atTime: at_time };
            self.judge(name, &call, if ids.len() == 1 { Status::Ok } else { Status::NotIncluded });
        }
    }

    fn checkpoint(&mut self, name: &str, checkpoint: Vec<u8>, time: u64, expected: Status) {
        self.judge(name, &Registry::verifyCheckpointCall { checkpoint: checkpoint.into(), atTime: time }, expected);
    }

    fn inclusion(&mut self, name: &str, vector: &Value, proof: Vec<u8>, expected: Status) {
        let blob_id = word(&vector["blobId"]);
        let call = Registry::verifyInCheckpointCall { blobId: blob_id, proof: proof.into(), atTime: during(4) };
        self.judge(name, &call, expected);
    }
}
