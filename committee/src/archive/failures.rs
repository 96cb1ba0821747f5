//! Failures of single objects.
//!
//! An object that the archive does not take, give back or remove does not stand in the way of others: what fails is noted, and
//! the step goes on. Now and then it is looked whether it is the archive as a whole that fails, which ends the step.

use super::{Archive, trouble::Error};

/// After so many failures it is looked whether the archive is there at all.
const DOUBTFUL: usize = 16;

/// Those of one round.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: usize,
    last: Option<Error>,
}

impl Failures {
    /// One more.
    ///
    /// # Errors
    ///
    /// What is wrong with the archive as a whole.
    pub(super) async fn add(&mut self, archive: &Archive, error: Error) -> Result<(), Error> {
        archive.doubt();
        self.count += 1;
        self.last = Some(error);
        if self.count.is_multiple_of(DOUBTFUL) { archive.confirm().await } else { Ok(()) }
    }

    pub(super) fn is_none(&self) -> bool {
        self.last.is_none()
    }

    /// The last one, if there was any; from then on there was none.
    pub(super) fn take(&mut self) -> Option<Error> {
        std::mem::take(self).last
    }
}
