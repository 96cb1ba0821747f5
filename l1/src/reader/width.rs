//! How many blocks nodes search for events at once, found out: they differ, and say so in words of their own.

/// By how much a range is made narrower that was refused.
const NARROWING: u64 = 4;
/// The widest range that is asked about.
const WIDEST: u64 = 1 << 22;
/// After so many answers in a row more is tried again than was refused: perhaps it was the moment, and not the width.
const QUIET: u32 = 64;

/// How many blocks are asked about at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Width {
    pub(super) blocks: u64,
    /// What was refused, while less was not.
    refused: u64,
    /// Answers in a row.
    answers: u32,
}

impl Default for Width {
    fn default() -> Self {
        Self { blocks: 1 << 17, refused: 2 * WIDEST, answers: 0 }
    }
}

impl Width {
    /// So many blocks were answered for, after a range as wide as `refused` was not.
    pub(super) fn worked(&mut self, blocks: u64, refused: Option<u64>) {
        self.refused = refused.unwrap_or(self.refused);
        self.answers = if refused.is_some() { 0 } else { self.answers + 1 };
        if self.answers == QUIET {
            (self.refused, self.answers) = (self.refused.saturating_mul(2).min(2 * WIDEST), 0);
        }
        if refused.is_some() {
            self.blocks = blocks;
        } else if blocks >= self.blocks {
            self.blocks = blocks.saturating_mul(2).min((self.refused / 2).max(1));
        }
    }
}

impl Width {
    /// Not even so many blocks were answered for: the next question is about fewer.
    pub(super) fn failed(&mut self, blocks: u64) {
        (self.blocks, self.answers) = (narrower(blocks), 0);
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
    fn what_failed_for_a_moment_is_tried_again() {
        let mut width = Width::default();
        for _ in 0..100 {
            let asked = width.blocks.min(32);
            width.worked(narrower(asked), Some(asked));
        }
        width.failed(width.blocks);
        assert_eq!(width.blocks, 1);
        let mut answers = 0;
        while width.blocks < 1 << 17 {
            width.worked(width.blocks, None);
            answers += 1;
        }
        assert!(answers < 20 * QUIET, "{answers}");
    }

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
            assert!(
                asked <= 2 * least + least / 32 + 10,
                "{asked} questions where {least} do, with {most} blocks at once"
            );
        }
    }
}
