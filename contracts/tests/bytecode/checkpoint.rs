//! Checkpoints, built and signed by hand: a second implementation, from the letter of the protocol.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};
use holdfast_certificate::{Attestation, HOUR, StatementDigest};
use holdfast_registry::Status;

use crate::{
    abi::Registry,
    chain::Outcome,
    fixture::{Fixture, STRANGER, add_g1, bitmap},
};

/// Bytes of what every encoding begins with.
pub(crate) const HEAD_BYTES: usize = 85;
/// Offset of the signature on L1.
pub(crate) const SIGNATURE_OFFSET: usize = 117;

const TYPE: &str = "Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)";

/// What members sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) namespace: B256,
    pub(crate) epoch: u64,
    pub(crate) root: B256,
    pub(crate) count: u32,
    pub(crate) retain_until: u64,
}

impl Checkpoint {
    /// The usual one over these blobs: of the fixture's namespace and epoch, kept for a week.
    pub(crate) fn over(fixture: &Fixture, ids: &[B256]) -> Self {
        Self {
            namespace: B256::from_slice(fixture.namespace.as_bytes()),
            epoch: fixture.epoch,
            root: root(ids),
            count: ids.len().try_into().expect("few"),
            retain_until: fixture.chain.time.next_multiple_of(HOUR) + 7 * 24 * HOUR,
        }
    }

    pub(crate) fn head(&self) -> Vec<u8> {
        let head = [
            &[0xc1][..],
            self.namespace.as_slice(),
            &self.epoch.to_be_bytes(),
            self.root.as_slice(),
            &self.count.to_be_bytes(),
            &self.retain_until.to_be_bytes(),
        ]
        .concat();
        assert_eq!(head.len(), HEAD_BYTES);
        head
    }

    /// The EIP-712 digest under the domain of the fixture's registry.
    pub(crate) fn id(&self, fixture: &Fixture) -> B256 {
        let words = (keccak256(TYPE), self.namespace, self.epoch, self.root, self.count, self.retain_until);
        let domain = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        let chain_id = U256::from(fixture.chain.chain_id);
        let domain = (keccak256(domain), keccak256("Holdfast"), keccak256("1"), chain_id, fixture.registry);
        let [domain, checkpoint] = [keccak256(domain.abi_encode()), keccak256(words.abi_encode())];
        keccak256([&[0x19, 0x01][..], domain.as_slice(), checkpoint.as_slice()].concat())
    }

    /// The L1 encoding, signed by these slots, whether or not it follows the rules.
    pub(crate) fn certify(&self, fixture: &Fixture, slots: &[u16]) -> Vec<u8> {
        self.encode(bitmap(slots), &sign(fixture, self.id(fixture), slots))
    }

    pub(crate) fn encode(&self, signers: U256, signature: &[u8; 128]) -> Vec<u8> {
        [&self.head()[..], &signers.to_be_bytes::<32>(), signature].concat()
    }

    /// The proof that blob number `index` of those is in it.
    pub(crate) fn proof(&self, ids: &[B256], index: usize) -> Vec<u8> {
        let number = u32::try_from(index).expect("few");
        let path: Vec<u8> = path(ids, index).iter().flat_map(|hash| hash.0).collect();
        [&self.head()[..], &number.to_be_bytes(), &path].concat()
    }
}

impl Fixture {
    pub(crate) fn checkpoint_verdict(&self, checkpoint: &[u8], at: u64) -> Status {
        let call = Registry::verifyCheckpointCall { checkpoint: checkpoint.to_vec().into(), atTime: at };
        Status::try_from(self.chain.call_at(self.registry, &call, at)).expect("a status")
    }

    pub(crate) fn in_checkpoint(&self, blob_id: B256, proof: &[u8], at: u64) -> Status {
        let call = Registry::verifyInCheckpointCall { blobId: blob_id, proof: proof.to_vec().into(), atTime: at };
        Status::try_from(self.chain.call_at(self.registry, &call, at)).expect("a status")
    }

    pub(crate) fn publish_checkpoint(&mut self, checkpoint: &[u8]) -> Outcome {
        let call = Registry::publishCheckpointCall { checkpoint: checkpoint.to_vec().into() };
        self.chain.send(STRANGER, self.registry, &call)
    }
}

/// The aggregate signature of these slots on a digest, in EIP-2537 layout.
pub(crate) fn sign(fixture: &Fixture, digest: B256, slots: &[u16]) -> [u8; 128] {
    let digest = StatementDigest::from_bytes(digest.as_slice()).expect("32 bytes");
    let sum = slots
        .iter()
        .map(|&slot| Attestation::sign(slot, &fixture.keys[usize::from(slot)], &digest).signature.to_eip2537())
        .reduce(|a, b| add_g1(&fixture.chain, &a, &b));
    sum.unwrap_or([0; 128])
}

/// So many blob ids, ascending.
pub(crate) fn blob_ids(count: u32) -> Vec<B256> {
    let mut ids: Vec<B256> = (0..count).map(|number| keccak256(number.to_be_bytes())).collect();
    ids.sort_unstable();
    ids
}

/// RFC 6962, section 2.1, by its recursive definition.
pub(crate) fn root(leaves: &[B256]) -> B256 {
    match leaves {
        [] => panic!("no leaves"),
        [leaf] => sha256(&[&[0x00], leaf.as_slice()]),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            sha256(&[&[0x01], root(left).as_slice(), root(right).as_slice()])
        }
    }
}

/// RFC 6962, section 2.1.1: from the leaf up.
pub(crate) fn path(leaves: &[B256], index: usize) -> Vec<B256> {
    if leaves.len() == 1 {
        return vec![];
    }
    let half = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(half);
    let (mut below, sibling) =
        if index < half { (path(left, index), root(right)) } else { (path(right, index - half), root(left)) };
    below.push(sibling);
    below
}

fn sha256(parts: &[&[u8]]) -> B256 {
    B256::from_slice(holdfast_erasure::sha256(&parts.concat()).as_bytes())
}
