//! The committee file exactly as its JSON has it, before keys and proofs are decoded, so that an error about one of them
//! can name its slot.

use serde::{Deserialize, Serialize};

use super::{CommitteeFile, FileMember, FileNamespace, of_member};
use crate::address::Address;
use crate::error::Error;
use crate::malformed::Malformed;
use crate::text::parse_hex;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    version: u64,
    chain_id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry: Option<Address>,
    epoch: u64,
    original_shards: u16,
    total_shards: u16,
    threshold: u16,
    max_payload: u32,
    members: Vec<Member>,
    #[serde(default)]
    namespaces: Vec<FileNamespace>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Member {
    slot: u16,
    public_key: String,
    proof_of_possession: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Address>,
    endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tls_pin: Option<String>,
}

impl TryFrom<File> for CommitteeFile {
    type Error = Error;

    fn try_from(file: File) -> Result<Self, Error> {
        if file.version != Self::VERSION {
            return Err(
                Malformed::Version { what: "committee file", expected: Self::VERSION, got: file.version }.into()
            );
        }
        Ok(Self {
            chain_id: file.chain_id,
            registry: file.registry,
            epoch: file.epoch,
            original_shards: file.original_shards,
            total_shards: file.total_shards,
            threshold: file.threshold,
            max_payload: file.max_payload,
            members: file.members.into_iter().map(FileMember::try_from).collect::<Result<_, _>>()?,
            namespaces: file.namespaces,
        })
    }
}

impl TryFrom<Member> for FileMember {
    type Error = Error;

    fn try_from(member: Member) -> Result<Self, Error> {
        let Member { slot, public_key, proof_of_possession, account, endpoint, tls_pin } = member;
        let pin = |text: String| parse_hex("TLS pin", &text).map_err(|source| of_member(slot, source.into()));
        Ok(Self {
            tls_pin: tls_pin.map(pin).transpose()?,
            slot,
            public_key: public_key.parse().map_err(|source: Malformed| of_member(slot, source.into()))?,
            proof_of_possession: proof_of_possession
                .parse()
                .map_err(|source: Malformed| of_member(slot, source.into()))?,
            account,
            endpoint,
        })
    }
}

impl From<CommitteeFile> for File {
    fn from(file: CommitteeFile) -> Self {
        Self {
            version: CommitteeFile::VERSION,
            chain_id: file.chain_id,
            registry: file.registry,
            epoch: file.epoch,
            original_shards: file.original_shards,
            total_shards: file.total_shards,
            threshold: file.threshold,
            max_payload: file.max_payload,
            members: file.members.into_iter().map(Member::from).collect(),
            namespaces: file.namespaces,
        }
    }
}

impl From<FileMember> for Member {
    fn from(member: FileMember) -> Self {
        Self {
            slot: member.slot,
            public_key: member.public_key.to_string(),
            proof_of_possession: member.proof_of_possession.to_string(),
            account: member.account,
            endpoint: member.endpoint,
            tls_pin: member.tls_pin.map(|pin| format!("0x{}", hex::encode(pin))),
        }
    }
}
