//! Faults beyond what the protocol stands: each must be found, or the oracles see nothing.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Members sign before what they sign is on the disk.
    SignBeforeSync,
    /// Some members drop a bucket before its time.
    DropEarly,
    /// No member ever repairs.
    NeverRepair,
    /// The client takes fewer signatures for a certificate than the committee's threshold.
    TooFewHolders,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SignBeforeSync, Self::DropEarly, Self::NeverRepair, Self::TooFewHolders];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignBeforeSync => "sign-before-sync",
            Self::DropEarly => "drop-early",
            Self::NeverRepair => "never-repair",
            Self::TooFewHolders => "too-few-holders",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plant| plant.name() == name)
    }
}
