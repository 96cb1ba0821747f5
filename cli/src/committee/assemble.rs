//! `holdfast committee assemble`: a committee file from the members' cards.

use std::path::PathBuf;

use clap::Args;
use holdfast_certificate::{Address, CommitteeFile, CommitteeParameters, FileMember, FileNamespace, Namespace};
use serde::Serialize;

use super::{
    card::{Card, Pin},
    plan,
};
use crate::{
    exit::{Exit, fail},
    output::{Output, human_bytes},
    target,
    times::parse_span,
};

/// Which cards, and the committee's parameters.
#[derive(Debug, Args)]
pub(crate) struct AssembleArgs {
    /// The members' cards, in the order of their slots.
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
    #[command(flatten)]
    parameters: ParameterArgs,
    /// The epoch's number.
    #[arg(long, default_value_t = 1)]
    epoch: u64,
    /// The chain of a registry; without it the committee is one without L1.
    #[arg(long, requires = "registry", value_parser = clap::value_parser!(u64).range(1..))]
    chain_id: Option<u64>,
    /// The registry's address.
    #[arg(long, requires = "chain_id")]
    registry: Option<Address>,
    /// A namespace that the members serve.
    #[arg(long, requires = "disperser")]
    namespace: Option<Namespace>,
    /// The accounts that may disperse in it; may be given more than once.
    #[arg(long, requires = "namespace")]
    disperser: Vec<Address>,
    /// How long its data must still be kept when a certificate is used.
    #[arg(long, default_value = "1d", value_parser = parse_span, requires = "namespace")]
    min_retention: std::time::Duration,
    /// Write the committee file here; standard output if absent or -.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    replace: target::Replace,
}

/// Threshold, original shards and largest payload.
#[derive(Debug, Args)]
pub(crate) struct ParameterArgs {
    /// Signatures needed (t); the default for this size if absent (holdfast committee plan).
    #[arg(short = 't', long)]
    pub(crate) threshold: Option<u16>,
    /// Original shards (k); the default for this size if absent.
    #[arg(short = 'k', long)]
    pub(crate) original_shards: Option<u16>,
    /// The largest payload, in bytes or as 32MiB.
    #[arg(long, value_parser = parse_size)]
    pub(crate) max_payload: Option<u32>,
}

impl ParameterArgs {
    /// Checked parameters for a committee of `members`; what was not given is taken from `from` or else the default.
    pub(crate) fn resolve(
        &self,
        members: usize,
        from: Option<&CommitteeParameters>,
    ) -> anyhow::Result<CommitteeParameters> {
        let Some(n) = u16::try_from(members).ok().filter(|n| (2..=126).contains(n)) else {
            return fail(Exit::Usage, format!("{members} members, expected 2 to 126"));
        };
        let (t, k) = match from {
            Some(from) => (from.threshold(), from.original_shards()),
            None => plan::default_for(n),
        };
        let max_payload = self.max_payload.or(from.map(CommitteeParameters::max_payload));
        plan::parameters(
            n,
            self.threshold.unwrap_or(t),
            self.original_shards.unwrap_or(k),
            max_payload.unwrap_or(CommitteeParameters::DEFAULT_MAX_PAYLOAD),
        )
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assembled {
    file: PathBuf,
    members: u16,
    threshold: u16,
    original_shards: u16,
    max_payload: u32,
    chain_id: u64,
    registry: String,
    epoch: u64,
    slots: Vec<AssembledSlot>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AssembledSlot {
    slot: u16,
    operator: String,
    key_id: String,
    endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_pin: Option<Pin>,
}

pub(crate) fn run(args: AssembleArgs, output: Output) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        args.replace.check(path)?;
    }
    let cards = Card::read_all(&args.cards)?;
    let parameters = args.parameters.resolve(cards.len(), None)?;
    let asked = args.chain_id.zip(args.registry);
    for card in &cards {
        let got = card.registration.map(|at| (at.chain_id, at.registry));
        if got != asked {
            let name = |of: Option<(u64, Address)>| match of {
                Some((chain_id, registry)) => format!("registry {registry} on chain {chain_id}"),
                None => "a committee without L1".to_owned(),
            };
            let (got, asked) = (name(got), name(asked));
            return fail(Exit::Usage, format!("the card of {} is for {got}, this is {asked}", card.operator));
        }
    }
    let members = (0..).zip(&cards).map(|(slot, card)| FileMember {
        slot,
        public_key: card.public_key,
        proof_of_possession: card.proof_of_possession,
        account: card.registration.map(|at| at.account),
        endpoint: card.endpoint.clone(),
        tls_pin: card.tls_pin.map(|pin| pin.0),
    });
    let namespace = args.namespace.map(|id| FileNamespace {
        id,
        dispersers: args.disperser,
        min_retention: args.min_retention.as_secs(),
    });
    let mut file = CommitteeFile {
        chain_id: args.chain_id.unwrap_or(0),
        registry: args.registry,
        epoch: args.epoch,
        original_shards: parameters.original_shards(),
        total_shards: parameters.total_shards(),
        threshold: parameters.threshold(),
        max_payload: parameters.max_payload(),
        members: members.collect(),
        namespaces: namespace.into_iter().collect(),
    };
    // Every check of the file, among them that the keys do not cancel; without L1 it also gives the derived registry.
    let committee = match file.committee() {
        Ok(committee) => committee,
        Err(error) => return fail(Exit::Usage, format!("these cards make no committee: {error}")),
    };
    file.registry = Some(committee.domain().registry);
    let Some(path) = args.output.filter(|path| path.as_path() != std::path::Path::new(crate::files::STANDARD)) else {
        return crate::output::line(file.to_json().trim_end());
    };
    target::write(&path, file.to_json().as_bytes())?;
    let assembled = Assembled {
        file: path,
        members: parameters.total_shards(),
        threshold: parameters.threshold(),
        original_shards: parameters.original_shards(),
        max_payload: parameters.max_payload(),
        chain_id: file.chain_id,
        registry: committee.domain().registry.to_string(),
        epoch: file.epoch,
        slots: (0..)
            .zip(cards)
            .map(|(slot, card)| AssembledSlot {
                slot,
                operator: card.operator,
                key_id: card.public_key.id().to_string(),
                endpoint: card.endpoint,
                tls_pin: card.tls_pin,
            })
            .collect(),
    };
    output.print(&assembled, text)
}

fn text(assembled: &Assembled) -> String {
    let mut text = format!(
        "committee   {} members, t={}, k={}, payloads up to {}\ndomain      chain id {}, registry {}\nepoch       {}\nwritten to  {}\n",
        assembled.members,
        assembled.threshold,
        assembled.original_shards,
        human_bytes(assembled.max_payload.into()),
        assembled.chain_id,
        assembled.registry,
        assembled.epoch,
        assembled.file.display(),
    );
    for slot in &assembled.slots {
        text += &format!("m{:<3} {}  {}  {}\n", slot.slot, slot.key_id, slot.endpoint, slot.operator);
    }
    text
}

/// A number of bytes, or of KiB or MiB.
fn parse_size(text: &str) -> Result<u32, String> {
    let (digits, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let unit: u32 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(format!("{text:?} is no size: give bytes, or 512KiB, or 32MiB")),
    };
    digits
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| format!("{text:?} is no size: expected digits and less than 4 GiB"))
}
