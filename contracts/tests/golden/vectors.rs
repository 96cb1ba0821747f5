//! The golden vectors as transactions to send and calls to compare, for any chain: keys, proofs, certificates, checkpoints
//! and openings of `testdata/golden`, with the answer that each must give. The Solidity tests read the same files.
//!
//! The vectors are signed for chain 31337 and the first contract of the first development account, [`DEPLOYER`].

mod certificates;
mod checkpoints;
mod openings;

use std::path::Path;

use alloy::{
    primitives::{Address, B256, Bytes, U256, address, keccak256},
    sol_types::{SolCall, SolValue as _},
};
use holdfast_certificate::{
    Attestation, Committee, CommitteeParameters, Domain, ProofOfPossession, ProvenKey, PublicKey, Registration,
    Signature,
};
use holdfast_erasure::Parameters;
use holdfast_registry::Status;
use serde_json::Value;

use crate::abi::Registry;

/// Whose first contract has the vectors' address.
pub(crate) const DEPLOYER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub(crate) const REGISTRY: Address = address!("5fbdb2315678afecb367f032d93f642f64180aa3");
const GOVERNANCE: Address = Address::repeat_byte(0x60);
/// The account that the proofs are for.
const OPERATOR: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
const STRANGER: Address = Address::repeat_byte(0x66);
const MIN_RETENTION: u64 = 24 * 3600;

/// When the registry is deployed, some days before the vectors' statements end.
pub(crate) const START: u64 = 1_999_000_000;
const DELAY: u64 = 3600;
/// How long before their beginning epochs are proposed: longer than the delay, since a node that counts the time that passes has
/// later blocks on a slow machine.
const NOTICE: u64 = 2 * DELAY;
/// Epochs end when their successors begin.
const OVERLAP: u64 = 0;
/// How long each of the committees is active.
const TERM: u64 = 24 * 3600;

/// A transaction that must succeed.
pub(crate) struct Step {
    /// In a block of this time, or later by seconds.
    pub(crate) time: u64,
    pub(crate) from: Address,
    pub(crate) data: Bytes,
}

/// A call with the answer that it must give.
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) data: Bytes,
    pub(crate) expected: Bytes,
}

/// What the vectors come to.
pub(crate) struct Golden {
    pub(crate) steps: Vec<Step>,
    /// To be made after all steps.
    pub(crate) checks: Vec<Check>,
}

/// Arguments of the registry's constructor.
pub(crate) fn constructor_arguments() -> Vec<u8> {
    (GOVERNANCE, Address::ZERO, DELAY, OVERLAP).abi_encode_params()
}

impl Golden {
    pub(crate) fn load() -> Self {
        let (certificates, signed) = (parsed("certificate.json"), parsed("foundry.json"));
        let mut golden = Self { steps: Vec::new(), checks: Vec::new() };
        let committees: Vec<Committee> =
            list(&certificates["committees"]).iter().map(|committee| golden.committee(committee)).collect();
        golden.namespace(&signed);
        golden.genuine(&certificates);
        golden.statements(&signed, &committees);
        golden.checkpoints(&signed, &parsed("checkpoint.json"), &committees);
        golden.openings(&signed);
        golden.time_passes(&signed);
        golden
    }

    /// Registers and proposes a committee; its keys must read back.
    fn committee(&mut self, vector: &Value) -> Committee {
        let members = list(&vector["members"]);
        let registry = holdfast_certificate::Address::from_bytes(REGISTRY.as_slice()).unwrap();
        let domain = Domain { chain_id: 31_337, registry };
        let (mut keys, mut in_order) = (Vec::new(), Vec::new());
        for member in members {
            let [key, proof] = ["publicKeyEip2537", "proofOfPossessionEip2537"].map(|name| unhex(&member[name]));
            let public = PublicKey::from_bytes(&unhex(&member["publicKey"])).unwrap();
            assert_eq!(public.to_eip2537()[..], key[..], "the library's form of the key");
            let account = holdfast_certificate::Address::from(OPERATOR.into_array());
            let registration = Registration { domain, account };
            let proof_here = ProofOfPossession::from_eip2537(&proof).unwrap();
            keys.push(ProvenKey::check(public, proof_here, &registration).unwrap());
            in_order.extend_from_slice(&key);
            self.check("keyAccount", &Registry::keyAccountCall { keyId: keccak256(&key) }, OPERATOR.abi_encode());
            self.step(START, OPERATOR, &Registry::registerKeyCall { key: key.into(), proof: proof.into() });
        }
        let number = |name: &str| vector[name].as_u64().unwrap();
        let [epoch, k, n, threshold, max_payload] =
            ["epoch", "originalShards", "totalShards", "threshold", "maxPayload"].map(number);
        let code = Parameters::new(k.try_into().unwrap(), n.try_into().unwrap()).unwrap();
        let propose = Registry::proposeEpochCall {
            keys: in_order.clone().into(),
            accounts: vec![OPERATOR; members.len()],
            originalShards: code.original_shards(),
            threshold: threshold.try_into().unwrap(),
            maxPayload: max_payload.try_into().unwrap(),
            activeFrom: active_from(epoch),
        };
        self.step(START, GOVERNANCE, &propose);
        self.check("slotKeys", &Registry::slotKeysCall { epoch }, Bytes::from(in_order).abi_encode());
        let parameters = CommitteeParameters::new(code, propose.threshold, propose.maxPayload).unwrap();
        Committee::new(domain, epoch, parameters, keys).unwrap()
    }

    /// Creates the namespace of foundry.json.
    fn namespace(&mut self, signed: &Value) {
        let create = Registry::createNamespaceCall {
            salt: word(&signed["salt"]),
            minRetention: MIN_RETENTION,
            dispersers: Vec::new(),
        };
        self.step(START, signed["owner"].as_str().unwrap().parse().unwrap(), &create);
    }

    /// Nothing is said of a time to come, so something must happen when the statements have ended.
    fn time_passes(&mut self, signed: &Value) {
        let end = signed["retainUntil"].as_u64().unwrap() + 1;
        let create = Registry::createNamespaceCall { salt: B256::ZERO, minRetention: 0, dispersers: Vec::new() };
        self.step(end, STRANGER, &create);
    }

    fn step<C: SolCall>(&mut self, time: u64, from: Address, call: &C) {
        self.steps.push(Step { time, from, data: call.abi_encode().into() });
    }

    fn check<C: SolCall>(&mut self, name: &str, call: &C, expected: Vec<u8>) {
        self.checks.push(Check { name: name.to_owned(), data: call.abi_encode().into(), expected: expected.into() });
    }

    /// A call that must give this status.
    fn judge<C: SolCall>(&mut self, name: &str, call: &C, expected: Status) {
        self.check(name, call, U256::from(expected as u8).abi_encode());
    }
}

fn active_from(epoch: u64) -> u64 {
    START + NOTICE + (epoch - 1) * TERM
}

/// A time at which the epoch is active.
fn during(epoch: u64) -> u64 {
    active_from(epoch) + TERM / 2
}

/// What each slot signed, in EIP-2537 layout.
fn attestations(vector: &Value) -> Vec<Attestation> {
    let signatures =
        list(&vector["signatures"]).iter().map(|signature| Signature::from_eip2537(&unhex(signature)).unwrap());
    (0..).zip(signatures).map(|(slot, signature)| Attestation { slot, signature }).collect()
}

/// The L1 encoding of a head with one slot's signature: enough to be read.
fn with_one_signature(vector: &Value) -> Vec<u8> {
    let signature = unhex(&vector["signatures"][0]);
    [unhex(&vector["head"]), U256::from(1).to_be_bytes::<32>().to_vec(), signature].concat()
}

fn parsed(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/golden").join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).expect(file)).expect("JSON")
}

fn list(value: &Value) -> &Vec<Value> {
    let list = value.as_array().expect("a list");
    assert!(!list.is_empty());
    list
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string").trim_start_matches("0x")).expect("hex")
}

fn word(value: &Value) -> B256 {
    B256::from_slice(&unhex(value))
}
