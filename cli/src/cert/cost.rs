//! `holdfast cert cost`: what ways of posting a batch cost on L1, side by side.

use std::{fmt::Write as _, path::Path};

use clap::Args;
use holdfast_l1::Prices;
use serde::Serialize;

use crate::{
    config::Config,
    exit::{Exit, fail},
    output::Output,
};

/// Gas of a transaction before anything in it.
const TRANSACTION: u64 = 21_000;
/// The least that a byte of calldata costs that is not zero (EIP-7623); compressed data has few zeros.
const CALLDATA_BYTE: u64 = 40;
/// The most bytes that nodes take in one transaction, with room for the rest of it.
const CALLDATA_BYTES: u64 = 120_000;
/// Gas of a blob, in its own unit (EIP-4844).
const BLOB_GAS: u64 = 1 << 17;
/// Bytes that a blob holds, in the OP Stack's encoding, the densest in use.
const BLOB_BYTES: u64 = 130_044;
/// The most blobs of one transaction (EIP-7594).
const BLOBS: u64 = 6;
/// `publish` of a certificate, whole transaction; contracts/gas-snapshot.txt, the dearest of its committees.
const PUBLISH: u64 = 155_774;
/// `publishCheckpoint`, whole transaction, whatever the number of blobs.
const CHECKPOINT: u64 = 177_610;
/// The most blobs of a checkpoint.
const CHECKPOINT_BLOBS: u64 = 4096;
/// A transaction whose calldata is a commitment of 34 bytes behind a version byte.
const COMMITMENT: u64 = TRANSACTION + 35 * CALLDATA_BYTE;

const GWEI: f64 = 1e9;
const ETHER: f64 = 1e18;

/// What is posted, and what gas costs.
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// The size of a batch: bytes, or with kB, MB, KiB, MiB.
    #[arg(long, value_parser = size)]
    size: u64,
    /// How many batches: 720/day, 30/hour.
    #[arg(long, value_parser = rate, value_name = "N/day")]
    batches: f64,
    /// Batches that one checkpoint is over; those of a day, and at most 4096, if absent.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=CHECKPOINT_BLOBS))]
    per_checkpoint: Option<u64>,
    /// The base fee in gwei, in place of what the configured L1 node says.
    #[arg(long, value_parser = price, value_name = "GWEI", requires = "blob_fee")]
    base_fee: Option<f64>,
    /// The blob base fee in gwei, in place of what the configured L1 node says.
    #[arg(long, value_parser = price, value_name = "GWEI", requires = "base_fee")]
    blob_fee: Option<f64>,
}

/// Gas and blobs, in gwei a unit.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fees {
    /// Base fee and tip.
    gas: f64,
    /// None where the chain has no blobs.
    blob: Option<f64>,
}

/// One way of posting, for each batch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Way {
    way: &'static str,
    /// Gas of its transactions.
    gas: f64,
    /// Units of blob gas.
    blob_gas: u64,
    ether_a_batch: f64,
    ether_a_day: f64,
    /// The blob base fee, in gwei, above which this is cheaper than blobs at this price of gas.
    cheaper_than_blobs_above: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Costs {
    size: u64,
    batches_a_day: f64,
    batches_a_checkpoint: u64,
    fees: Fees,
    ways: Vec<Way>,
}

pub(super) async fn cost(args: &CostArgs, config: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let fees = match (args.base_fee, args.blob_fee) {
        (Some(gas), Some(blob)) => Fees { gas, blob: Some(blob) },
        _ => {
            let config = Config::load(config)?;
            let Some(urls) = config.l1_urls() else {
                return fail(Exit::Usage, "no L1 node is configured: set [l1], or give --base-fee and --blob-fee");
            };
            let Prices { base_fee, tip, blob_fee, .. } = holdfast_l1::prices(urls.as_slice()).await?;
            let gas = base_fee.saturating_add(tip) as f64 / GWEI;
            Fees { gas, blob: blob_fee.map(|fee| fee as f64 / GWEI) }
        }
    };
    let day = whole(args.batches.ceil().clamp(1.0, CHECKPOINT_BLOBS as f64));
    let costs = costs(args.size, args.batches, args.per_checkpoint.unwrap_or(day), fees);
    output.print(&costs, human)
}

fn costs(size: u64, batches_a_day: f64, batches_a_checkpoint: u64, fees: Fees) -> Costs {
    let blobs = size.div_ceil(BLOB_BYTES);
    let blob_gas = (TRANSACTION * blobs.div_ceil(BLOBS)) as f64;
    let way = |way: &'static str, gas: f64, blobs_of_it: u64| {
        let blob_gas_of_it = blobs_of_it * BLOB_GAS;
        let blob_price = if blobs_of_it == 0 { 0.0 } else { fees.blob.unwrap_or_default() };
        let ether_a_batch = (gas * fees.gas + blob_gas_of_it as f64 * blob_price) * GWEI / ETHER;
        // Below zero it is cheaper than the transactions alone that carry the blobs.
        let above = ((gas - blob_gas) * fees.gas / (blobs * BLOB_GAS) as f64).max(0.0);
        Way {
            way,
            gas,
            blob_gas: blob_gas_of_it,
            ether_a_batch,
            ether_a_day: ether_a_batch * batches_a_day,
            cheaper_than_blobs_above: (blobs_of_it == 0).then_some(above),
        }
    };
    let calldata = (size * CALLDATA_BYTE + TRANSACTION * size.div_ceil(CALLDATA_BYTES)) as f64;
    let mut ways = vec![way("calldata", calldata, 0)];
    if fees.blob.is_some() {
        ways.push(way("blobs", blob_gas, blobs));
    }
    ways.push(way("publish each", PUBLISH as f64, 0));
    ways.push(way("checkpoint", CHECKPOINT as f64 / batches_a_checkpoint as f64, 0));
    ways.push(way("commitment only", COMMITMENT as f64, 0));
    Costs { size, batches_a_day, batches_a_checkpoint, fees, ways }
}

fn human(costs: &Costs) -> String {
    let blob = costs.fees.blob.map_or("none on this chain".to_owned(), |fee| format!("{} gwei", short(fee)));
    let mut text = format!(
        "batch         {} bytes, {} a day, {} in a checkpoint\ngas           {} gwei with the usual tip\nblob gas      {blob}\n\n",
        costs.size,
        short(costs.batches_a_day),
        costs.batches_a_checkpoint,
        short(costs.fees.gas),
    );
    text += &format!(
        "{:<16}{:>12}{:>10}{:>14}{:>12}{:>16}\n",
        "for each batch", "gas", "blob gas", "ETH a batch", "ETH a day", "beats blobs at"
    );
    for way in &costs.ways {
        let above = match way.cheaper_than_blobs_above {
            None => "-".to_owned(),
            Some(0.0) => "any fee".to_owned(),
            Some(fee) => format!("{} gwei", short(fee)),
        };
        let _ = writeln!(
            text,
            "{:<16}{:>12.0}{:>10}{:>14}{:>12}{:>16}",
            way.way,
            way.gas,
            way.blob_gas,
            short(way.ether_a_batch),
            short(way.ether_a_day),
            above
        );
    }
    text + "\nThe last column is the blob base fee from which on a way is cheaper than blobs. publish and\n\
            checkpoint are what the registry takes; a rollup that also posts a commitment for each batch\n\
            pays that too.\n"
}

/// Four figures, without an exponent where people would not write one.
fn short(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let power = number.abs().log10().floor();
    if !(-9.0..9.0).contains(&power) {
        return format!("{number:.3e}");
    }
    let decimals = usize::try_from(whole((3.0 - power).clamp(0.0, 12.0))).unwrap_or_default();
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The nearest whole number of one that is not negative and far below 2^53.
#[expect(clippy::cast_possible_truncation, reason = "every caller has bounded it")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn size(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit.trim() {
        "" | "B" => 1.0,
        "kB" | "KB" | "k" => 1e3,
        "MB" | "M" => 1e6,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        _ => return Err(format!("{text:?}: expected bytes, kB, MB, KiB or MiB")),
    };
    let bytes = digits.parse::<f64>().map_err(|error| format!("{text:?}: {error}"))? * factor;
    if (1.0..=1e12).contains(&bytes) { Ok(whole(bytes)) } else { Err(format!("{text:?}: expected 1 B to 1 TB")) }
}

/// Batches a day.
fn rate(text: &str) -> Result<f64, String> {
    let (count, span) = text.split_once('/').unwrap_or((text, "day"));
    let factor = match span.trim() {
        "day" | "d" => 1.0,
        "hour" | "h" => 24.0,
        "minute" | "min" | "m" => 24.0 * 60.0,
        _ => return Err(format!("{text:?}: expected a number for each day, hour or minute, such as 720/day")),
    };
    let count = count.trim().parse::<f64>().map_err(|error| format!("{text:?}: {error}"))? * factor;
    if count > 0.0 && count <= 1e7 {
        Ok(count)
    } else {
        Err(format!("{text:?}: expected more than 0 and at most 10^7"))
    }
}

fn price(text: &str) -> Result<f64, String> {
    let gwei = text.parse::<f64>().map_err(|error| format!("{text:?}: {error}"))?;
    if (0.0..=1e9).contains(&gwei) { Ok(gwei) } else { Err(format!("{text:?}: expected gwei, 0 to 10^9")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the floor of the blob fee (EIP-7918) a blob costs what 8,192 gas do.
    fn at_the_floor(gas: f64) -> Fees {
        Fees { gas, blob: Some(gas / 16.0) }
    }

    /// What a batch costs in gas at that floor.
    fn in_gas(costs: &Costs, way: &str) -> f64 {
        let way = costs.ways.iter().find(|it| it.way == way).expect("there");
        way.ether_a_batch * ETHER / GWEI / costs.fees.gas
    }

    #[test]
    fn at_the_floor_blobs_cost_what_the_documentation_says() {
        let small = costs(120_000, 720.0, 200, at_the_floor(2.0));
        assert_eq!(in_gas(&small, "blobs").round(), 29_192.0);
        assert_eq!(in_gas(&small, "calldata").round(), 4_821_000.0);
        let large = costs(1_000_000, 720.0, 200, at_the_floor(2.0));
        assert_eq!(in_gas(&large, "blobs").round(), 107_536.0);
        assert_eq!(in_gas(&large, "publish each").round(), 155_774.0);
        assert_eq!(in_gas(&large, "checkpoint").round(), 888.0);
        let a_day = large.ways[1].ether_a_day / large.ways[1].ether_a_batch;
        assert!((a_day - 720.0).abs() < 1e-9);
    }

    #[test]
    fn at_the_break_even_both_cost_the_same() {
        for size in [120_000, 1_000_000, 5_000_000] {
            let gas = 3.0;
            for way in costs(size, 720.0, 100, at_the_floor(gas)).ways {
                let Some(fee) = way.cheaper_than_blobs_above else { continue };
                let there = costs(size, 720.0, 100, Fees { gas, blob: Some(fee) });
                let (of_way, of_blobs) = (in_gas(&there, way.way), in_gas(&there, "blobs"));
                let same = (of_way - of_blobs).abs() < 1.0;
                assert!(same || (fee == 0.0 && of_way < of_blobs), "{} {size}: {of_way} {of_blobs}", way.way);
            }
        }
    }

    #[test]
    fn a_chain_without_blobs_has_no_row_for_them() {
        let costs = costs(1000, 1.0, 1, Fees { gas: 1.0, blob: None });
        assert!(costs.ways.iter().all(|way| way.way != "blobs"));
        assert!(human(&costs).contains("none on this chain"));
    }

    #[test]
    fn sizes_rates_and_prices_are_read_as_people_write_them() {
        assert_eq!(
            ["7", "120kB", "1MB", "1.5 MB", "2MiB"].map(|text| size(text).ok()),
            [Some(7), Some(120_000), Some(1_000_000), Some(1_500_000), Some(2 << 20)]
        );
        assert_eq!(
            ["720/day", "30/hour", "1/min", "5"].map(|text| rate(text).ok()),
            [Some(720.0), Some(720.0), Some(1440.0), Some(5.0)]
        );
        for bad in ["", "0", "-1", "1 XB", "1e30"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["", "0/day", "5/week", "x/day", "-3/day"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        assert_eq!(
            [0.0, 1.0, 0.0625, 12.3456, 1e-9, 123_456.7, 1e12].map(short),
            ["0", "1", "0.0625", "12.35", "0.000000001", "123457", "1.000e12"]
        );
    }
}
