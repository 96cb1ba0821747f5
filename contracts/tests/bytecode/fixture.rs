//! A registry with a committee and a namespace, and the means to sign for it.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256},
    sol_types::SolValue,
};
use holdfast_certificate::{Attestation, Domain, HOUR, Namespace, Registration, SecretKey, Statement};
use holdfast_erasure::{Blob, Digest};
use holdfast_registry::Status;
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    chain::{Chain, Outcome},
};

pub(crate) const GOVERNANCE: Address = Address::repeat_byte(0x60);
pub(crate) const GUARDIAN: Address = Address::repeat_byte(0x61);
/// The account of all members' keys.
pub(crate) const OPERATOR: Address = Address::repeat_byte(0x0a);
pub(crate) const OWNER: Address = Address::repeat_byte(0x0b);
pub(crate) const DISPERSER: Address = Address::repeat_byte(0x0c);
pub(crate) const STRANGER: Address = Address::repeat_byte(0x66);

pub(crate) const DELAY: u64 = 2 * HOUR;
/// Epochs end when their successors begin, but where a test says otherwise.
pub(crate) const OVERLAP: u64 = 0;
pub(crate) const MIN_RETENTION: u64 = 24 * HOUR;
pub(crate) const MAX_PAYLOAD: u32 = 32 << 20;

/// Offsets in the L1 encoding.
pub(crate) const SIGNERS_OFFSET: usize = 161;
pub(crate) const SIGNATURE_OFFSET: usize = 193;

/// A committee: members, signatures needed, shards that rebuild.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) n: u16,
    pub(crate) t: u16,
    pub(crate) k: u16,
}

pub(crate) const FIVE: Size = Size { n: 5, t: 4, k: 2 };
pub(crate) const SEVEN: Size = Size { n: 7, t: 6, k: 2 };
pub(crate) const TWENTY: Size = Size { n: 20, t: 14, k: 3 };
pub(crate) const LARGEST: Size = Size { n: 94, t: 63, k: 20 };

#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) chain: Chain,
    pub(crate) registry: Address,
    pub(crate) namespace: Namespace,
    pub(crate) epoch: u64,
    pub(crate) size: Size,
    pub(crate) keys: Vec<SecretKey>,
}

impl Fixture {
    /// A registry without anything.
    pub(crate) fn empty(spec: SpecId) -> (Chain, Address) {
        let mut chain = Chain::new(spec);
        let registry = deploy(&mut chain, DELAY, OVERLAP);
        (chain, registry)
    }

    /// A committee that is active, on the newest hard fork.
    pub(crate) fn new(size: Size) -> Self {
        Self::on(SpecId::OSAKA, size)
    }

    pub(crate) fn on(spec: SpecId, size: Size) -> Self {
        Self::with_overlap(spec, size, OVERLAP)
    }

    /// The same with a registry of this overlap.
    pub(crate) fn with_overlap(spec: SpecId, size: Size, overlap: u64) -> Self {
        Self::in_chain(Chain::new(spec), size, overlap)
    }

    /// The same in a chain of these rules.
    pub(crate) fn in_chain(mut chain: Chain, size: Size, overlap: u64) -> Self {
        let registry = deploy(&mut chain, DELAY, overlap);
        let keys = secret_keys(0, size.n);
        let ids = keys.iter().map(|key| register(&mut chain, registry, key)).collect();
        let epoch = chain.must(GOVERNANCE, registry, &propose(ids, size));
        let namespace = chain.must(
            OWNER,
            registry,
            &Registry::createNamespaceCall {
                salt: B256::repeat_byte(1),
                minRetention: MIN_RETENTION,
                dispersers: vec![DISPERSER],
            },
        );
        chain.time += DELAY;
        let namespace = Namespace::from_bytes(namespace.as_slice()).expect("32 bytes");
        Self { chain, registry, namespace, epoch, size, keys }
    }

    pub(crate) fn domain(&self) -> Domain {
        domain(self.chain.chain_id, self.registry)
    }

    /// A statement that members would sign now: a blob dispersed by shard, kept for a week.
    pub(crate) fn statement(&self) -> Statement {
        Statement {
            namespace: self.namespace,
            epoch: self.epoch,
            blob: Blob {
                payload_length: 615_361,
                payload_digest: Digest::ZERO,
                original_shards: self.size.k,
                total_shards: self.size.n,
                shards_root: Digest::from([0x5a; 32]),
                fingerprints_hash: Digest::from([0xf1; 32]),
            },
            whole_until: 0,
            retain_until: self.chain.time.next_multiple_of(HOUR) + 7 * 24 * HOUR,
        }
    }

    pub(crate) fn all(&self) -> Vec<u16> {
        (0..self.size.n).collect()
    }

    /// The aggregate signature of these slots, in EIP-2537 layout.
    pub(crate) fn sign(&self, statement: &Statement, domain: &Domain, slots: &[u16]) -> [u8; 128] {
        let digest = statement.digest(domain);
        let sum = slots
            .iter()
            .map(|&slot| Attestation::sign(slot, &self.keys[usize::from(slot)], &digest).signature.to_eip2537())
            .reduce(|a, b| add_g1(&self.chain, &a, &b));
        sum.unwrap_or([0; 128])
    }

    /// A certificate in the L1 encoding of a statement that these slots signed, whether or not it follows the rules.
    pub(crate) fn certify(&self, statement: &Statement, slots: &[u16]) -> Vec<u8> {
        encode_l1(statement, bitmap(slots), &self.sign(statement, &self.domain(), slots))
    }

    /// A certificate of the usual statement by all slots.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.certify(&self.statement(), &self.all())
    }

    /// What the registry says of a certificate now.
    pub(crate) fn verdict(&self, certificate: &[u8]) -> Status {
        self.verdict_at(certificate, self.chain.time)
    }

    /// What it says of a time: now, or when that time has come.
    pub(crate) fn verdict_at(&self, certificate: &[u8], time: u64) -> Status {
        let call = Registry::verifyCall { certificate: Bytes::copy_from_slice(certificate), atTime: time };
        Status::try_from(self.chain.call_at(self.registry, &call, time)).expect("a status")
    }

    /// What the registry says of a certificate, apart from its end and the namespace.
    pub(crate) fn genuine(&self, certificate: &[u8]) -> Status {
        let call = Registry::verifySignatureCall { certificate: Bytes::copy_from_slice(certificate) };
        Status::try_from(self.chain.call(self.registry, &call)).expect("a status")
    }

    pub(crate) fn publish(&mut self, certificate: &[u8]) -> Outcome {
        let call = Registry::publishCall { certificate: Bytes::copy_from_slice(certificate) };
        self.chain.send(STRANGER, self.registry, &call)
    }
}

/// Keys of members `first`, `first + 1` and so on, always the same.
pub(crate) fn secret_keys(first: u16, count: u16) -> Vec<SecretKey> {
    let master = SecretKey::derive_master(&[7; 32]).expect("32 bytes of seed");
    (first..first + count).map(|number| master.derive_child(number.into())).collect()
}

/// The key that is minus another one.
pub(crate) fn opposite(key: &SecretKey) -> SecretKey {
    let order =
        U256::from_str_radix("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001", 16).expect("a number");
    let negated = order - U256::from_be_bytes(*key.to_bytes());
    SecretKey::from_bytes(&negated.to_be_bytes::<32>()).expect("below the order, and not zero")
}

/// A registry of the usual governance and guardian.
pub(crate) fn deploy(chain: &mut Chain, delay: u64, overlap: u64) -> Address {
    chain.deploy("CommitteeRegistry", &(GOVERNANCE, GUARDIAN, delay, overlap).abi_encode_params())
}

/// The registration of a key by its operator.
pub(crate) fn registration(chain: &Chain, registry: Address, key: &SecretKey) -> Registry::registerKeyCall {
    registration_by(OPERATOR, chain, registry, key)
}

pub(crate) fn registration_by(
    account: Address,
    chain: &Chain,
    registry: Address,
    key: &SecretKey,
) -> Registry::registerKeyCall {
    let account = holdfast_certificate::Address::from(account.into_array());
    let registration = Registration { domain: domain(chain.chain_id, registry), account };
    Registry::registerKeyCall {
        key: key.public_key().to_eip2537().to_vec().into(),
        proof: key.prove_possession(&registration).to_eip2537().to_vec().into(),
    }
}

/// A key in EIP-2537 layout.
pub(crate) type Key = FixedBytes<256>;

/// How the registry names a key.
pub(crate) fn id_of(key: &Key) -> B256 {
    keccak256(key)
}

pub(crate) fn register(chain: &mut Chain, registry: Address, key: &SecretKey) -> Key {
    let call = registration(chain, registry, key);
    let key = Key::from_slice(&call.key);
    assert_eq!(chain.must(OPERATOR, registry, &call), id_of(&key));
    key
}

/// An epoch's keys, in slot order.
pub(crate) fn keys_of(chain: &Chain, registry: Address, epoch: u64) -> Vec<Key> {
    chain.call(registry, &Registry::slotKeysCall { epoch }).chunks_exact(256).map(Key::from_slice).collect()
}

/// A proposal of these keys, all of them the operator's, to be active as soon as possible.
pub(crate) fn propose(keys: Vec<Key>, size: Size) -> Registry::proposeEpochCall {
    Registry::proposeEpochCall {
        keys: keys.iter().flat_map(|key| key.0).collect::<Vec<u8>>().into(),
        accounts: vec![OPERATOR; keys.len()],
        originalShards: size.k,
        threshold: size.t,
        maxPayload: MAX_PAYLOAD,
        activeFrom: 0,
    }
}

pub(crate) fn domain(chain_id: u64, registry: Address) -> Domain {
    Domain { chain_id, registry: holdfast_certificate::Address::from_bytes(registry.as_slice()).expect("20 bytes") }
}

pub(crate) fn bitmap(slots: &[u16]) -> U256 {
    slots.iter().fold(U256::ZERO, |bits, &slot| bits | (U256::from(1) << usize::from(slot)))
}

/// The sum of two points of G1, by the chain's own precompile.
pub(crate) fn add_g1(chain: &Chain, a: &[u8; 128], b: &[u8; 128]) -> [u8; 128] {
    let sum = chain.precompile(0x0b, &[&a[..], &b[..]].concat()).expect("points of G1");
    sum[..].try_into().expect("128 bytes")
}

/// The L1 encoding by the letter of the protocol.
pub(crate) fn encode_l1(statement: &Statement, signers: U256, signature: &[u8; 128]) -> Vec<u8> {
    let blob = &statement.blob;
    let encoded = [
        &[1][..],
        statement.namespace.as_bytes(),
        &statement.epoch.to_be_bytes(),
        &blob.payload_length.to_be_bytes(),
        blob.payload_digest.as_bytes(),
        &blob.original_shards.to_be_bytes(),
        &blob.total_shards.to_be_bytes(),
        blob.shards_root.as_bytes(),
        blob.fingerprints_hash.as_bytes(),
        &statement.whole_until.to_be_bytes(),
        &statement.retain_until.to_be_bytes(),
        &signers.to_be_bytes::<32>(),
        signature,
    ]
    .concat();
    assert_eq!(encoded.len(), 321);
    encoded
}
