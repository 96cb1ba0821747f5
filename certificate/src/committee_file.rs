//! The committee file: a committee, where its members are, and the namespaces they serve, as JSON.
//!
//! With `chainId` 0 it stands in for L1. Readers need nothing else but a certificate.

mod raw;

use std::collections::{BTreeSet, HashMap};

use holdfast_erasure::Parameters;
use serde::{Deserialize, Serialize};

use crate::address::{Address, Namespace};
use crate::committee::Committee;
use crate::domain::Domain;
use crate::endpoint::check_pinned_endpoint;
use crate::error::Error;
use crate::keys::PublicKey;
use crate::parameters::CommitteeParameters;
use crate::possession::{ProofOfPossession, ProvenKey, Registration};

/// A committee file. Parsing checks syntax, fields and points; [`Self::committee`] checks what they say together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "raw::File", try_from = "raw::File")]
pub struct CommitteeFile {
    /// The chain; zero for a committee without L1.
    pub chain_id: u64,
    /// The registry contract. Without L1 it is derived from the rest, and may be left out.
    pub registry: Option<Address>,
    /// The epoch's number.
    pub epoch: u64,
    /// Original shards, `k`.
    pub original_shards: u16,
    /// Members and shards, `n`.
    pub total_shards: u16,
    /// Signatures needed, `t`.
    pub threshold: u16,
    /// Largest payload in bytes.
    pub max_payload: u32,
    /// The members, in slot order.
    pub members: Vec<FileMember>,
    /// The namespaces that the members serve.
    pub namespaces: Vec<FileNamespace>,
}

/// One member of a committee file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMember {
    /// The member's slot.
    pub slot: u16,
    /// Its key.
    pub public_key: PublicKey,
    /// Its proof that it has the secret: with L1 the one that the registry took from `account`, else one for no chain.
    pub proof_of_possession: ProofOfPossession,
    /// The account that registered the key; `None` without L1.
    pub account: Option<Address>,
    /// The URL of its gRPC services.
    pub endpoint: String,
    /// SHA-256 of the SubjectPublicKeyInfo of its TLS key, for an `https` endpoint; `None` for any that the machine's roots
    /// vouch for.
    pub tls_pin: Option<[u8; 32]>,
}

/// One namespace of a committee file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileNamespace {
    /// The namespace.
    pub id: Namespace,
    /// Who may disperse in it.
    pub dispersers: Vec<Address>,
    /// The least retention that a certificate must still have when it is used, in seconds.
    pub min_retention: u64,
}

impl CommitteeFile {
    /// The only version of the format.
    pub const VERSION: u64 = 1;

    /// Parses JSON. Unknown, missing and repeated fields are errors.
    ///
    /// # Errors
    ///
    /// [`Error::FileSyntax`], with line and column, and in it what [`Error::Malformed`] or [`Error::FileMember`] say.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let raw: raw::File = serde_json::from_str(json).map_err(Error::FileSyntax)?;
        raw.try_into()
    }

    /// The file as JSON, indented, with a newline at the end.
    ///
    /// # Panics
    ///
    /// Never: every field has a JSON form.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("every field has a JSON form");
        json.push('\n');
        json
    }

    /// The committee, after every check: parameters, as many members as shards, slots in order, every proof of possession,
    /// no key twice, endpoints that are URLs and have pins only with `https`, no namespace or disperser twice, and without L1 the derived registry.
    ///
    /// # Errors
    ///
    /// The first check that fails, with the slot where one is to blame.
    pub fn committee(&self) -> Result<Committee, Error> {
        let code = Parameters::new(self.original_shards, self.total_shards)?;
        let parameters = CommitteeParameters::new(code, self.threshold, self.max_payload)?;
        let keys = self.proven_keys()?;
        self.check_namespaces()?;
        if self.chain_id != 0 {
            let registry = self.registry.ok_or(Error::FileRegistryMissing { chain_id: self.chain_id })?;
            return Committee::new(Domain { chain_id: self.chain_id, registry }, self.epoch, parameters, keys);
        }
        let committee = Committee::off_chain(self.epoch, parameters, keys)?;
        let expected = committee.domain().registry;
        match self.registry {
            Some(got) if got != expected => Err(Error::FileRegistry { expected, got }),
            _ => Ok(committee),
        }
    }

    /// The members' endpoints, in slot order.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.endpoint.clone()).collect()
    }

    fn proven_keys(&self) -> Result<Vec<ProvenKey>, Error> {
        let expected = self.total_shards;
        // Before the pairings: a list of another length is wrong at no cost.
        if self.members.len() != usize::from(expected) {
            return Err(Error::MemberCount { expected, got: self.members.len() });
        }
        let mut seen: HashMap<[u8; PublicKey::BYTES], u16> = HashMap::new();
        for (position, member) in self.members.iter().enumerate() {
            if usize::from(member.slot) != position {
                return Err(Error::FileSlotOrder { position, got: member.slot });
            }
            if let Some(first) = seen.insert(member.public_key.to_bytes(), member.slot) {
                let public_key = Box::new(member.public_key);
                return Err(Error::DuplicateKey { first, second: member.slot, public_key });
            }
            if let Err(reason) = check_pinned_endpoint(&member.endpoint, member.tls_pin.as_ref()) {
                return Err(of_member(member.slot, Error::Endpoint { got: member.endpoint.clone(), reason }));
            }
        }
        self.members
            .iter()
            .map(|member| {
                let registration = self.registration(member)?;
                ProvenKey::check(member.public_key, member.proof_of_possession, &registration)
                    .map_err(|source| of_member(member.slot, source))
            })
            .collect()
    }

    /// What a member's proof must be for.
    fn registration(&self, member: &FileMember) -> Result<Registration, Error> {
        let chain_id = self.chain_id;
        let wrong = || of_member(member.slot, Error::FileAccount { chain_id });
        if chain_id == 0 {
            return if member.account.is_none() { Ok(Registration::WITHOUT_L1) } else { Err(wrong()) };
        }
        let registry = self.registry.ok_or(Error::FileRegistryMissing { chain_id })?;
        let account = member.account.ok_or_else(wrong)?;
        Ok(Registration { domain: Domain { chain_id, registry }, account })
    }

    fn check_namespaces(&self) -> Result<(), Error> {
        let mut seen: HashMap<Namespace, usize> = HashMap::new();
        for (second, namespace) in self.namespaces.iter().enumerate() {
            if let Some(first) = seen.insert(namespace.id, second) {
                return Err(Error::FileDuplicateNamespace { first, second, id: namespace.id });
            }
            let mut dispersers = BTreeSet::new();
            if let Some(twice) = namespace.dispersers.iter().find(|disperser| !dispersers.insert(**disperser)) {
                return Err(Error::FileDuplicateDisperser { id: namespace.id, disperser: *twice });
            }
        }
        Ok(())
    }
}

fn of_member(slot: u16, source: Error) -> Error {
    Error::FileMember { slot, source: Box::new(source) }
}
