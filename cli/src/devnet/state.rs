//! A devnet's folder: where everything lies, and the state file that later commands read.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::process::ProcessId;
use crate::{
    committee::card::Pin,
    exit::{Exit, fail},
    files, target, times,
};

/// Where a devnet keeps its files.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()) }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("devnet.json")
    }

    pub(crate) fn client_config(&self) -> PathBuf {
        self.dir.join("client.toml")
    }

    pub(crate) fn gateway_config(&self) -> PathBuf {
        self.dir.join("gateway.toml")
    }

    pub(crate) fn committee_file(&self) -> PathBuf {
        self.dir.join("committee.json")
    }

    pub(crate) fn disperser_key(&self) -> PathBuf {
        self.dir.join("disperser.key")
    }

    pub(crate) fn l1_key(&self) -> PathBuf {
        self.dir.join("l1.key")
    }

    pub(crate) fn chain_log(&self) -> PathBuf {
        self.dir.join("l1.blocks")
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    pub(crate) fn member_dir(&self, slot: u16) -> PathBuf {
        self.dir.join(format!("m{slot}"))
    }

    pub(crate) fn member_config(&self, slot: u16) -> PathBuf {
        self.member_dir(slot).join("member.toml")
    }

    pub(crate) fn member_data(&self, slot: u16) -> PathBuf {
        self.member_dir(slot).join("data")
    }
}

/// What `devnet up` wrote down.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) version: u32,
    pub(crate) namespace: String,
    pub(crate) threshold: u16,
    pub(crate) original_shards: u16,
    /// The embedded L1; absent with `--l1 none`.
    pub(crate) l1: Option<L1>,
    pub(crate) members: Vec<Member>,
    /// The gateway; absent without `--gateway`.
    #[serde(default)]
    pub(crate) gateway: Option<Gateway>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct L1 {
    pub(crate) listen: String,
    pub(crate) chain_id: u64,
    pub(crate) registry: String,
    pub(crate) process: Option<ProcessId>,
}

impl L1 {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    pub(crate) slot: u16,
    pub(crate) listen: String,
    pub(crate) process: Option<ProcessId>,
    /// Whether the process ends with the one that started it.
    #[serde(default)]
    pub(crate) tied: bool,
    /// What is broken of it, in the order in which it was.
    #[serde(default, rename = "broken")]
    pub(crate) faults: Vec<Active>,
    /// The pin of its TLS key; absent where it speaks plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_pin: Option<Pin>,
    /// The program with arguments that runs it in another network name space; none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) through: Vec<String>,
}

/// A fault that was made, with what it takes to undo it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Active {
    /// As it was ordered, such as `slow=2s`.
    pub(crate) fault: String,
    /// Unix seconds at which it was made.
    pub(crate) since: u64,
    /// Unix seconds at which whoever made it undoes it; absent if it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
    /// The slow line, and where the member listens behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<Line>,
    /// Blobs whose shards were replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) replaced: Vec<String>,
    /// Bytes in which a bit was flipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) flipped: Vec<Place>,
}

/// A slow line before a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) process: ProcessId,
    /// Where the member listens behind it.
    pub(crate) behind: String,
}

/// A byte in which a bit was flipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) at: u64,
    pub(crate) was: u8,
}

impl Active {
    /// For people.
    pub(crate) fn in_words(&self) -> String {
        match self.until {
            Some(until) => format!("{} until {}", self.fault, times::human_time(until)),
            None => self.fault.clone(),
        }
    }
}

impl Member {
    pub(crate) fn name(&self) -> String {
        format!("m{}", self.slot)
    }

    pub(crate) fn endpoint(&self) -> String {
        self.endpoint_at(&self.listen)
    }

    /// The endpoint if it listened there.
    pub(crate) fn endpoint_at(&self, address: &str) -> String {
        let scheme = if self.tls_pin.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(ProcessId::is_running)
    }
}

/// What a devnet's gateway serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// OP Stack Alt-DA.
    Op,
    /// Arbitrum Nitro's DA provider.
    Nitro,
    /// Plain HTTP.
    Http,
}

impl Protocol {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Op => "op",
            Self::Nitro => "nitro",
            Self::Http => "http",
        }
    }
}

/// A devnet's gateway in its state file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gateway {
    pub(crate) listens: Vec<Listen>,
    pub(crate) process: Option<ProcessId>,
}

/// One address of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listen {
    pub(crate) protocol: Protocol,
    pub(crate) address: String,
}

impl Gateway {
    /// A gateway that serves these protocols, at addresses that are free.
    pub(crate) fn new(protocols: &[Protocol], addresses: Vec<String>) -> Self {
        let mut protocols = protocols.to_vec();
        protocols.sort_unstable();
        protocols.dedup();
        let listens = protocols.into_iter().zip(addresses);
        Self { listens: listens.map(|(protocol, address)| Listen { protocol, address }).collect(), process: None }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(ProcessId::is_running)
    }

    /// Whether it serves these protocols and no other.
    pub(crate) fn serves(&self, protocols: &[Protocol]) -> bool {
        protocols.iter().all(|it| self.listens.iter().any(|listen| listen.protocol == *it))
            && self.listens.iter().all(|listen| protocols.contains(&listen.protocol))
    }

    /// Where it listens, for people.
    pub(crate) fn addresses(&self) -> String {
        let all = self.listens.iter().map(|listen| format!("{} http://{}", listen.protocol.key(), listen.address));
        all.collect::<Vec<_>>().join(", ")
    }
}

impl State {
    /// The state of the devnet in this folder.
    pub(crate) fn load(layout: &Layout) -> anyhow::Result<Self> {
        let path = layout.state();
        if !path.exists() {
            return fail(
                Exit::Usage,
                format!("no devnet in {} (start one with: holdfast devnet up --dir {0})", layout.dir().display()),
            );
        }
        let state: Self = match serde_json::from_slice(&files::read(&path)?) {
            Ok(state) => state,
            Err(error) => {
                return fail(Exit::Usage, format!("{} is not a devnet's state file: {error}", path.display()));
            }
        };
        if state.version != 1 {
            return fail(Exit::Usage, format!("{} has version {}, expected 1", path.display(), state.version));
        }
        Ok(state)
    }

    pub(crate) fn save(&self, layout: &Layout) -> anyhow::Result<()> {
        target::write(&layout.state(), serde_json::to_string_pretty(self)?.as_bytes())
    }

    /// The member called `m0`, `m1`, ... (or just its slot).
    pub(crate) fn member_mut(&mut self, name: &str) -> anyhow::Result<&mut Member> {
        let count = self.members.len();
        let slot = name.trim_start_matches('m').parse::<usize>().ok();
        match slot.and_then(|slot| self.members.get_mut(slot)) {
            Some(member) => Ok(member),
            None => fail(Exit::Usage, format!("no member {name:?}, expected m0 to m{}", count.saturating_sub(1))),
        }
    }

    /// True while any of its processes runs.
    pub(crate) fn is_running(&self) -> bool {
        self.members.iter().any(Member::is_running)
            || self.gateway.as_ref().is_some_and(Gateway::is_running)
            || self.l1.as_ref().and_then(|l1| l1.process.as_ref()).is_some_and(ProcessId::is_running)
    }
}
