//! What a node answers for the registry, whatever it answers.

use alloy::sol_types::SolCall;
use holdfast_contracts::bindings::CommitteeRegistry::Slot;
use holdfast_fuzz::{Target, golden};

use super::*;

const GOLDEN: &str = include_str!("../../../../testdata/golden/certificate.json");

fn domain() -> Domain {
    Domain { chain_id: 31337, registry: Address::from([7; 20]) }
}

fn epoch(original_shards: u16, total_shards: u16, threshold: u16) -> Epoch {
    Epoch {
        originalShards: original_shards,
        totalShards: total_shards,
        threshold,
        maxPayload: 1 << 20,
        activeFrom: 1_800_000_000,
        activeUntil: 0,
        acceptedUntil: 0,
        revokedAt: 0,
        cancelled: false,
        keys: [9; 20].into(),
    }
}

/// What decodes is encoded to what decodes to the same.
fn comes_back<C: SolCall>(bytes: &[u8])
where
    C::Return: PartialEq + Debug,
{
    if let Ok(value) = C::abi_decode_returns(bytes) {
        let again = C::abi_encode_returns(&value);
        assert_eq!(C::abi_decode_returns(&again).expect("what was written"), value);
    }
}

#[test]
fn fuzz_answers_of_nodes() {
    let namespace = NamespaceInfo {
        owner: [1; 20].into(),
        existsFrom: 1,
        minRetention: 3600,
        nextMinRetention: 7200,
        nextFrom: 5,
        holdUntil: 6,
        dispersers: vec![[2; 20].into(), [3; 20].into()],
    };
    let slot = |number: u8| Slot {
        keyId: B256::repeat_byte(number),
        account: [number; 20].into(),
        endpoint: format!("https://m{number}.example:7400"),
        tlsPin: B256::repeat_byte(number),
    };
    let seeds = [
        getEpochCall::abi_encode_returns(&epoch(2, 5, 4)),
        namespaceOfCall::abi_encode_returns(&namespace),
        slotsOfCall::abi_encode_returns(&vec![slot(1), slot(2)]),
        slotKeysCall::abi_encode_returns(&golden(GOLDEN, "publicKeyEip2537").concat().into()),
    ];
    Target::new("answers of nodes", seeds).run(|bytes| {
        comes_back::<getEpochCall>(bytes);
        comes_back::<namespaceOfCall>(bytes);
        comes_back::<slotsOfCall>(bytes);
        comes_back::<slotKeysCall>(bytes);
        if let Ok(found) = namespaceOfCall::abi_decode_returns(bytes) {
            let is_there = !found.owner.is_zero();
            assert_eq!(namespace_record(found).is_some(), is_there);
        }
    });
}

#[test]
fn fuzz_keys_of_an_epoch() {
    let keys = golden(GOLDEN, "publicKeyEip2537");
    let seeds = [2usize, 5].map(|members| keys[..members].concat());
    // Points are decompressed, and their subgroup is checked.
    Target::new("keys of an epoch", seeds).cases(6000).run(|bytes| {
        for (k, n, t) in [(1, 2, 2), (2, 5, 4), (0, 0, 0), (125, 126, 126)] {
            let Ok(committee) = committee_of(domain(), 3, &epoch(k, n, t), bytes) else { continue };
            assert_eq!((committee.len(), committee.parameters().threshold()), (n, t));
            assert_eq!(committee.keys().iter().flat_map(PublicKey::to_eip2537).collect::<Vec<u8>>(), bytes);
        }
    });
}
