//! `holdfast committee plan`: what a choice of threshold and original shards means for a committee of `n`.

use clap::Args;
use holdfast_certificate::CommitteeParameters;
use holdfast_erasure::Parameters;
use serde::Serialize;

use super::gas;
use crate::{
    exit::{Exit, fail},
    output::{Output, table},
};

/// Bytes of a certificate in the compact encoding, without the signers' bitmap (protocol section 4).
const CERTIFICATE_BYTES: u16 = 209;
/// Members of the largest committee with a row for every choice; larger ones get every second, third, ... choice.
const EVERY_CHOICE: u16 = 20;
/// Members of the largest committee that a registry takes: its keys are one contract's code, as long as chains let one be.
pub(super) const MAX_MEMBERS_ON_L1: u16 = 94;
/// The sizes whose defaults the protocol names.
const NAMED: [u16; 7] = [4, 5, 6, 7, 10, 13, 20];

/// How many members, and which choices to look at.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Members (n): 2 to 126.
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=126))]
    members: u16,
    /// Only this threshold (t), sensible or not.
    #[arg(short = 't', long, requires = "original_shards")]
    threshold: Option<u16>,
    /// Only this number of original shards (k), sensible or not.
    #[arg(short = 'k', long, requires = "threshold")]
    original_shards: Option<u16>,
}

/// What one choice means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Choice {
    pub(crate) threshold: u16,
    pub(crate) original_shards: u16,
    is_default: bool,
    /// Bytes stored over all members for a byte of payload, which is also what the disperser sends when it disperses by
    /// shard.
    pub(crate) storage_factor: f64,
    write_traffic_by_shard: f64,
    /// Members that may be down while payloads are still stored.
    pub(crate) writes_survive: u16,
    /// Members that must collude to make certified data unreadable.
    pub(crate) colluders_to_withhold: u16,
    /// Honest members with which every certified payload is readable, whatever the others do.
    pub(crate) honest_needed: u16,
    certificate_bytes: u16,
    /// What L1 takes for `verify` and `publish`; absent where no registry takes so many members.
    gas: Option<ChoiceGas>,
}

/// Estimated gas of whole transactions with one certificate, when all have signed and when `t` have.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChoiceGas {
    verify_all_signed: u64,
    verify_threshold_signed: u64,
    publish_all_signed: u64,
    publish_threshold_signed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    members: u16,
    default_threshold: u16,
    default_original_shards: u16,
    /// Whether the protocol names the default of this size, or it follows from the same rule.
    default_is_named: bool,
    /// Estimated gas of a key's registration, once for each member.
    gas_register_key: u64,
    /// Estimated gas of proposing the epoch; absent where no registry takes so many members.
    gas_propose_epoch: Option<u64>,
    choices: Vec<Choice>,
}

/// The default threshold and original shards for a committee of `n`.
///
/// A seventh of the members, rounded up, may be down for writes, because what a rollup's users depend on is how many
/// members must be honest, `n - t + k`, and a rollup that cannot write falls back to L1. Two original shards up to seven
/// members and three up to twenty keep one member from withholding alone; above that, a seventh of `n` keeps the storage
/// factor at seven.
pub(crate) fn default_for(n: u16) -> (u16, u16) {
    let seventh = n.div_ceil(7);
    // t > n/2, which matters below four members.
    let t = (n - seventh).max(n / 2 + 1);
    let k = match n {
        0..=3 => 1,
        4..=7 => 2,
        _ => seventh.max(3),
    };
    (t, k)
}

/// Checked parameters, with a message for the command line where they cannot be.
pub(crate) fn parameters(n: u16, t: u16, k: u16, max_payload: u32) -> anyhow::Result<CommitteeParameters> {
    let code = Parameters::new(k, n).map_err(|error| error.to_string());
    match code.and_then(|code| CommitteeParameters::new(code, t, max_payload).map_err(|error| error.to_string())) {
        Ok(parameters) => Ok(parameters),
        Err(error) => fail(Exit::Usage, format!("n={n} t={t} k={k} is no committee: {error}")),
    }
}

pub(crate) fn choice(n: u16, t: u16, k: u16) -> Choice {
    let factor = f64::from(n) / f64::from(k);
    Choice {
        threshold: t,
        original_shards: k,
        is_default: (t, k) == default_for(n),
        storage_factor: factor,
        write_traffic_by_shard: factor,
        writes_survive: n - t,
        colluders_to_withhold: t - k + 1,
        honest_needed: n - t + k,
        certificate_bytes: CERTIFICATE_BYTES + n.div_ceil(8),
        gas: (n <= MAX_MEMBERS_ON_L1).then(|| ChoiceGas {
            verify_all_signed: gas::of_verification(0),
            verify_threshold_signed: gas::of_verification(n - t),
            publish_all_signed: gas::of_publication(0),
            publish_threshold_signed: gas::of_publication(n - t),
        }),
    }
}

/// The choices worth a look: some member may be down, no single one can withhold, an honest majority always suffices to
/// read, and at most seven bytes are stored for one; the default is always among them.
fn sensible(n: u16) -> Vec<(u16, u16)> {
    let step = usize::from(n.div_ceil(EVERY_CHOICE));
    let (default_t, default_k) = default_for(n);
    let mut choices: Vec<(u16, u16)> = Vec::new();
    for down in (1..=2 * n.div_ceil(7)).rev().step_by(step) {
        let t = n - down;
        for k in (n.div_ceil(7)..=2 * default_k).step_by(step) {
            if t > n / 2 && k < t && down + k <= n / 2 + 1 {
                choices.push((t, k));
            }
        }
    }
    choices.push((default_t, default_k));
    choices.sort_unstable();
    choices.dedup();
    choices
}

pub(crate) fn run(args: &PlanArgs, output: Output) -> anyhow::Result<()> {
    let n = args.members;
    let choices = match (args.threshold, args.original_shards) {
        (Some(t), Some(k)) => {
            parameters(n, t, k, CommitteeParameters::DEFAULT_MAX_PAYLOAD)?;
            vec![(t, k)]
        }
        _ => sensible(n),
    };
    let (default_threshold, default_original_shards) = default_for(n);
    let plan = Plan {
        members: n,
        default_threshold,
        default_original_shards,
        default_is_named: NAMED.contains(&n),
        gas_register_key: gas::REGISTER_KEY,
        gas_propose_epoch: (n <= MAX_MEMBERS_ON_L1).then(|| gas::of_proposal(n)),
        choices: choices.into_iter().map(|(t, k)| choice(n, t, k)).collect(),
    };
    output.print(&plan, text)
}

fn text(plan: &Plan) -> String {
    let mut rows = vec![
        [
            "t",
            "k",
            "stored n/k",
            "may be down n-t",
            "collude to withhold t-k+1",
            "honest needed n-t+k",
            "certificate",
            "publish gas, all signed",
            "publish gas, t signed",
            "",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for choice in &plan.choices {
        let gas = |of: fn(&ChoiceGas) -> u64| choice.gas.as_ref().map_or("-".to_owned(), |gas| of(gas).to_string());
        rows.push(vec![
            choice.threshold.to_string(),
            choice.original_shards.to_string(),
            format!("{:.2}", choice.storage_factor),
            choice.writes_survive.to_string(),
            choice.colluders_to_withhold.to_string(),
            choice.honest_needed.to_string(),
            format!("{} B", choice.certificate_bytes),
            gas(|gas| gas.publish_all_signed),
            gas(|gas| gas.publish_threshold_signed),
            if choice.is_default { "default".to_owned() } else { String::new() },
        ]);
    }
    let why = if plan.default_is_named {
        "The default is the protocol's for this size"
    } else {
        "The protocol names no default for this size; this one follows from the same rule"
    };
    let on_l1 = plan.gas_propose_epoch.map_or_else(
        || format!("A registry on L1 takes at most {MAX_MEMBERS_ON_L1} members: this committee is one without L1."),
        |propose| {
            let key = plan.gas_register_key;
            format!("On L1, proposing the epoch costs about {propose} gas, and each member's key {key} once.")
        },
    );
    format!(
        "{}\n{why}: a seventh of the members, rounded up, may be down for writes.\n\
         How many must be honest matters more, since a rollup that cannot write falls back to L1.\n\
         By shard, a disperser sends as much as is stored; by payload, {} times the payload.\n{on_l1}",
        table(&rows),
        plan.members
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_protocol() {
        let named = [(4, 3, 2), (5, 4, 2), (6, 5, 2), (7, 6, 2), (10, 8, 3), (13, 11, 3), (20, 17, 3)];
        for (n, t, k) in named {
            assert_eq!(default_for(n), (t, k), "n = {n}");
        }
        assert_eq!(named.map(|(n, ..)| n), NAMED);
    }

    #[test]
    fn every_size_has_a_valid_default_that_no_single_member_defeats() {
        for n in 2..=126 {
            let (t, k) = default_for(n);
            let valid = parameters(n, t, k, CommitteeParameters::DEFAULT_MAX_PAYLOAD);
            assert!(valid.is_ok(), "n = {n}: {valid:?}");
            assert!(t - k + 1 >= 2, "n = {n}: one member alone can withhold");
            assert!(n <= 2 || t < n, "n = {n}: one member alone stops writes");
            assert!(n <= 7 * k, "n = {n}: stored more than seven times");
        }
    }

    #[test]
    fn every_choice_is_valid_and_the_default_is_among_them_once() {
        for n in 2..=126 {
            let choices = sensible(n);
            assert!(choices.len() <= 60, "n = {n}: {} choices", choices.len());
            for &(t, k) in &choices {
                let valid = parameters(n, t, k, CommitteeParameters::DEFAULT_MAX_PAYLOAD);
                assert!(valid.is_ok(), "n = {n}: {valid:?}");
            }
            assert_eq!(choices.iter().filter(|choice| **choice == default_for(n)).count(), 1, "n = {n}");
        }
    }

    #[test]
    fn seven_members_by_hand() {
        let choice = choice(7, 6, 2);
        assert!(choice.is_default);
        assert!((choice.storage_factor - 3.5).abs() < 1e-9);
        assert_eq!((choice.writes_survive, choice.colluders_to_withhold, choice.honest_needed), (1, 5, 3));
        assert_eq!(choice.certificate_bytes, 210);
        assert_eq!(super::choice(20, 17, 3).certificate_bytes, 212);
    }
}
