//! What the registry leaves in the chain's state: keys as code that anybody can read, and nothing for a publication.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolValue as _,
};

use crate::{
    abi::Registry,
    checkpoint::{Checkpoint, blob_ids},
    fixture::{FIVE, Fixture, LARGEST, MAX_PAYLOAD, SEVEN, opposite},
};

/// Returns `length` bytes at `offset` of an account's code, from the words (account, offset, length): PUSH1 64 CALLDATALOAD,
/// PUSH1 32 CALLDATALOAD, PUSH0, PUSH0 CALLDATALOAD, EXTCODECOPY, PUSH1 64 CALLDATALOAD, PUSH0, RETURN.
const CODE_READER: [u8; 15] =
    [0x60, 0x40, 0x35, 0x60, 0x20, 0x35, 0x5f, 0x5f, 0x35, 0x3c, 0x60, 0x40, 0x35, 0x5f, 0xf3];

/// The layout by the letter of the protocol: head of 32 bytes, sum of all keys, each key negated.
#[test]
fn an_epoch_s_keys_are_read_from_its_code_at_the_offsets_of_the_protocol() {
    for size in [FIVE, SEVEN, LARGEST] {
        let mut fixture = Fixture::new(size);
        let epoch = fixture.chain.call(fixture.registry, &Registry::getEpochCall { epoch: 1 });
        let reader = fixture.chain.place(&CODE_READER);
        let read = |offset: usize, length: usize| {
            let words = (epoch.keys, U256::from(offset), U256::from(length)).abi_encode_params();
            fixture.chain.call_bytes(reader, words.into()).output
        };

        let n = usize::from(size.n);
        let mut head = vec![0; 16];
        head.extend(size.k.to_be_bytes());
        head.extend(size.n.to_be_bytes());
        head.extend(size.t.to_be_bytes());
        head.extend(MAX_PAYLOAD.to_be_bytes());
        head.extend(&epoch.activeFrom.to_be_bytes()[2..]);
        assert_eq!(read(0, 32), Bytes::from(head));

        let mut sum = vec![0; 256];
        for (slot, secret) in fixture.keys.iter().enumerate() {
            let negated = opposite(secret).public_key().to_eip2537();
            assert_eq!(read(288 + 256 * slot, 256), Bytes::from(negated.to_vec()), "slot {slot}");
            let key = secret.public_key().to_eip2537();
            sum = fixture.chain.precompile(0x0d, &[&sum[..], &key].concat()).unwrap().to_vec();
        }
        assert_eq!(read(32, 256), Bytes::from(sum));
        // Nothing behind the last key: code that is not there reads as zero.
        assert_eq!(read(288 + 256 * n, 32), Bytes::from(vec![0; 32]));
        assert_eq!(code_size(&mut fixture, epoch.keys), U256::from(288 + 256 * n));
    }
}

#[test]
fn a_publication_writes_no_storage_and_creates_nothing() {
    let mut fixture = Fixture::new(FIVE);
    let certificate = fixture.certificate();
    let (storage, contracts) = (fixture.chain.storage(), fixture.chain.contracts());
    assert!(!storage.is_empty() && contracts.contains(&fixture.registry));
    for _ in 0..2 {
        assert!(fixture.publish(&certificate).success);
        assert_eq!(fixture.chain.storage(), storage);
        assert_eq!(fixture.chain.contracts(), contracts);
    }
    // A checkpoint is stored, as one word: the comparison sees what is written.
    let encoded = Checkpoint::over(&fixture, &blob_ids(3)).certify(&fixture, &fixture.all());
    for _ in 0..2 {
        assert!(fixture.publish_checkpoint(&encoded).success);
        assert_eq!(fixture.chain.storage().len(), storage.len() + 1);
    }
    assert_eq!(fixture.chain.contracts(), contracts);
}

fn code_size(fixture: &mut Fixture, account: Address) -> U256 {
    // PUSH0 CALLDATALOAD EXTCODESIZE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
    let sizer = fixture.chain.place(&[0x5f, 0x35, 0x3b, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    U256::from_be_slice(&fixture.chain.call_bytes(sizer, account.abi_encode().into()).output)
}
