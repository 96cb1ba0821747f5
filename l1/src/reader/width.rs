//! How many blocks nodes search for events at once, found out: they differ, and say so in words of their own.

/// By how much a range is made narrower that was refused.
const NARROWING: u64 = 4;
/// The widest range that is asked about.
const WIDEST: u64 = 1 << 22;

/// How many blocks are asked about at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    pub(super) blocks: u64,
    /// What was refused, while less was not.
    refused: u64,
}

impl Default for Width {
    fn default() -> Self {
        Self { blocks: 1 << 17, refused: 2 * WIDEST }
    }
}

impl Width {
    /// So many blocks were answered for, after a range as wide as `refused` was not.
    pub(super) fn worked(&mut self, blocks: u64, refused: Option<u64>) {
        self.refused = refused.unwrap_or(self.refused);
        if refused.is_some() {
            self.blocks = blocks;
        } else if blocks >= self.blocks {
            self.blocks = blocks.saturating_mul(2).min((self.refused / 2).max(1));
        }
    }
}

/// What is tried where so many blocks were too many.
pub(super) fn narrower(blocks: u64) -> u64 {
    (blocks / NARROWING).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_refuses_wide_ranges_is_soon_asked_for_what_it_gives_and_no_more() {
        // How many questions it takes to go through a million blocks with a node that gives so many at once.
        let through = |most: u64| {
            let (mut width, mut left, mut asked) = (Width::default(), 1_000_000_u64, 0);
            while left > 0 {
                let (mut blocks, mut refused) = (width.blocks.min(left), None);
                loop {
                    asked += 1;
                    if blocks <= most {
                        break;
                    }
                    (blocks, refused) = (narrower(blocks), Some(blocks));
                }
                width.worked(blocks, refused);
                left -= blocks;
            }
            asked
        };
        assert_eq!(through(u64::MAX), 4, "131,072 blocks, 262,144, 524,288, and the rest");
        for most in [500, 1000, 10_000, 50_000] {
            let least = 1_000_000_u64.div_ceil(most);
            let asked = through(most);
            assert!(asked <= 2 * least + 10, "{asked} questions where {least} do, with {most} blocks at once");
        }
    }
}
