//! The machine that figures were measured on: without it they say little.

use std::fs;

use serde::{Deserialize, Serialize};

/// Instructions that change the figures where a processor has them.
const TELLING: [&str; 6] = ["sha_ni", "avx2", "avx512f", "gfni", "vpclmulqdq", "adx"];

/// What this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) instructions: Vec<String>,
    pub(super) memory_bytes: u64,
    pub(super) kernel: String,
    pub(super) version: String,
}

impl Machine {
    pub(super) fn this() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let flags = field("flags");
        let has = |name: &&&str| flags.split(' ').any(|flag| flag == **name);
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib =
            memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
        Self {
            processor: field("model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            instructions: TELLING.iter().filter(has).map(|name| (*name).to_owned()).collect(),
            memory_bytes: kib.unwrap_or(0_u64) * 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            version: concat!(env!("CARGO_PKG_VERSION"), " ", env!("HOLDFAST_COMMIT")).to_owned(),
        }
    }
}
