//! What a chain and a registry must be before anything is read from them.

use std::sync::LazyLock;

use alloy::{
    hex,
    primitives::{Bytes, U256, keccak256},
    rpc::types::TransactionRequest,
};
use holdfast_certificate::{Address, Domain};
use holdfast_contracts::{address_out, bindings};
use holdfast_erasure::Digest;
use serde::Deserialize;

use super::nodes::Nodes;
use crate::{
    error::Error,
    node::{At, BlockPoint, Node},
};

/// The code that our Solidity compiles to, with zeros where the constructor puts values.
static EXPECTED: LazyLock<Vec<u8>> = LazyLock::new(|| bindings::CommitteeRegistry::DEPLOYED_BYTECODE.to_vec());

/// Where the constructor puts values.
static IMMUTABLE: LazyLock<Vec<Range>> = LazyLock::new(|| {
    let artifact: Artifact = serde_json::from_str(bindings::ARTIFACT).expect("the committed artifact is JSON");
    artifact.immutable_references
});

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    immutable_references: Vec<Range>,
}

#[derive(Deserialize)]
struct Range {
    start: usize,
    length: usize,
}

/// The precompiles that are tried: G1ADD and PAIRING_CHECK, of EIP-2537.
const G1ADD: u8 = 0x0b;
const PAIRING_CHECK: u8 = 0x0f;

/// Creation code that gives the number of the block that it runs in: NUMBER PUSH0 MSTORE PUSH1 32 PUSH0 RETURN.
const NUMBER: [u8; 7] = hex!("435f5260205ff3");

/// The most bytes of a wrong answer that are shown.
const SHOWN: usize = 64;

/// The generator of G1, in EIP-2537 layout.
const G1: [u8; 128] = hex!(
    "0000000000000000000000000000000017f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    "0000000000000000000000000000000008b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
);

/// Twice the generator.
const TWO_G1: [u8; 128] = hex!(
    "000000000000000000000000000000000572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e"
    "00000000000000000000000000000000166a9d8cabc673a322fda673779d8e3822ba3ecb8670e461f73bb9021d5fd76a4c56d9d4cd16bd1bba86881979749d28"
);

/// The generator's y coordinate, negated.
const MINUS_G1_Y: [u8; 64] = hex!(
    "00000000000000000000000000000000114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca"
);

/// The generator of G2.
const G2: [u8; 256] = hex!(
    "00000000000000000000000000000000024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    "0000000000000000000000000000000013e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
    "000000000000000000000000000000000ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
    "000000000000000000000000000000000606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"
);

/// Refuses nodes that answer for another block than the one asked for, a chain without EIP-2537, and a registry that is not there or is another: by its pinned hash, else by the
/// artifact.
pub(crate) async fn check(
    nodes: &Nodes,
    domain: Domain,
    block: BlockPoint,
    pinned: Option<Digest>,
) -> Result<(), Error> {
    let Domain { chain_id, registry } = domain;
    let id = block.id();
    let other = nodes.ask("a block by its hash", move |node| async move { other_block(&node, block).await }).await?;
    if let Some(reason) = other {
        return Err(Error::OtherBlock { reason });
    }
    let wrong = nodes.ask("EIP-2537", move |node| async move { eip2537(&node, id).await }).await?;
    if let Some(reason) = wrong {
        return Err(Error::NoEip2537 { chain_id, reason });
    }
    let code = nodes.ask("eth_getCode", move |node| async move { node.code(registry, id).await }).await?;
    if code.is_empty() {
        return Err(Error::NoRegistry { registry, chain_id, block: block.number });
    }
    let (got, expected) = compared(&code, pinned);
    if got != expected {
        return Err(Error::NotTheRegistry { registry, chain_id, expected, got });
    }
    Ok(())
}

/// keccak256 of a contract's code.
pub(crate) fn code_hash(code: &[u8]) -> Digest {
    Digest::from(keccak256(code).0)
}

/// Whether this is the code of the pinned hash or else of the registry of this version, whatever its constructor was given.
pub(crate) fn is_registry_code(code: &[u8], pinned: Option<Digest>) -> bool {
    let (got, expected) = compared(code, pinned);
    got == expected
}

/// The hash of the code as it is compared, and what it must be.
fn compared(code: &[u8], pinned: Option<Digest>) -> (Digest, Digest) {
    match pinned {
        Some(pinned) => (code_hash(code), pinned),
        None => (code_hash(&masked(code)), code_hash(&EXPECTED)),
    }
}

/// What is wrong with the node's answers about a block that is named by its hash. Some nodes do not look at the hash and
/// answer for their newest block: of a hash that no block has, and of the block's number, they give an answer that shows it.
pub(crate) async fn other_block(node: &Node, block: BlockPoint) -> Result<Option<String>, Error> {
    let number = TransactionRequest::default().input(Bytes::from_static(&NUMBER).into());
    let nowhere = BlockPoint { hash: keccak256(b"holdfast: no block has this hash"), ..block };
    match node.run("eth_call by a hash that no block has", &number, nowhere.id()).await {
        Ok(_) => return Ok(Some("it answers about a block hash that no block has".to_owned())),
        Err(error @ Error::Timeout { .. }) => return Err(error),
        Err(_) => {}
    }
    match node.run("eth_call by block hash", &number, block.id()).await {
        Ok(got) if U256::try_from_be_slice(&got) == Some(U256::from(block.number)) => Ok(None),
        Ok(_) => Ok(Some("asked for a block by its hash, it answers for another one".to_owned())),
        // Not every node runs creation code in a call; what else it says of the block shows at the next question.
        Err(Error::Reverted { .. } | Error::BadAnswer { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a node's chain has EIP-2537.
pub(crate) async fn has_eip2537(node: &Node, block: At) -> Result<bool, Error> {
    Ok(eip2537(node, block).await?.is_none())
}

/// The code with zeros where the constructor put values.
fn masked(code: &[u8]) -> Vec<u8> {
    let mut code = code.to_vec();
    for Range { start, length } in IMMUTABLE.iter() {
        if let Some(value) = code.get_mut(*start..start + length) {
            value.fill(0);
        }
    }
    code
}

/// What is wrong with the precompiles, by known answers: a point added to itself, a pairing equation that holds and one
/// that does not.
async fn eip2537(node: &Node, block: At) -> Result<Option<String>, Error> {
    let bit = |holds: u8| {
        let mut word = [0; 32];
        word[31] = holds;
        word.to_vec()
    };
    let minus_g1 = [&G1[..64], &MINUS_G1_Y].concat();
    let tried = [
        ("G1ADD", G1ADD, [G1, G1].concat(), TWO_G1.to_vec()),
        ("PAIRING_CHECK", PAIRING_CHECK, [&G1[..], &G2, &minus_g1, &G2].concat(), bit(1)),
        ("PAIRING_CHECK", PAIRING_CHECK, [&G1[..], &G2].concat(), bit(0)),
    ];
    for (name, number, input, expected) in tried {
        let mut address = [0; 20];
        address[19] = number;
        let request =
            TransactionRequest::default().to(address_out(Address::from(address))).input(Bytes::from(input).into());
        let answer = node.run("EIP-2537", &request, block).await;
        let got = match answer {
            Ok(got) if got == expected => continue,
            Ok(got) if got.is_empty() => "nothing".to_owned(),
            Ok(got) => Bytes::copy_from_slice(&got[..got.len().min(SHOWN)]).to_string(),
            // A precompile that fails is an error like any other, but it is an answer.
            Err(Error::Reverted { reason, .. }) => reason,
            Err(error) => return Err(error),
        };
        return Ok(Some(format!("{name} (0x{number:02x}) answers {got}")));
    }
    Ok(None)
}
