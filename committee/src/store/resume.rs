//! Writing again after a failed write, without a restart; and counting what is held, after which a store that was opened is
//! written.

use std::sync::{Arc, atomic::Ordering};

use holdfast_transport::blocking;

use super::{Disabled, Error, Store, read, writer::Job};

/// Why a store is not written again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Resume {
    /// The disk, or what is on it, does not allow it yet. The store is as it was, and is read.
    #[error("not yet: {0}")]
    NotYet(#[source] Error),
    /// It was closed and opened again, and cannot be written.
    #[error("it was opened anew, and cannot be written: {0}")]
    Failed(#[source] Error),
}

impl Store {
    /// Counts what is held. Blocking, and long where that is much.
    ///
    /// # Errors
    ///
    /// [`Error::Record`] or [`Error::Read`]; [`Error::Reopening`] where the store was closed meanwhile.
    pub fn count(&self) -> Result<(), Error> {
        let database = self.database()?;
        self.shared.faults.count();
        // Nothing changes meanwhile: nothing is written before it is counted.
        let usage = read::usage(&database, &database.dropped()?)?;
        *self.shared.usage() = usage;
        self.shared.counted.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether what is held was counted since the store was opened, for the first time or anew.
    pub(crate) fn is_counted(&self) -> bool {
        self.shared.counted.load(Ordering::SeqCst)
    }

    /// Lets a store be written whose content was counted, if nothing else is in the way.
    pub fn enable(&self) {
        let counted = self.is_counted();
        self.shared.disabled.send_if_modified(|disabled| {
            let enable = counted && disabled.as_ref().is_some_and(Disabled::is_counting);
            if enable {
                *disabled = None;
            }
            enable
        });
    }

    /// After a failed write or sync: tries to write beside the database, and where that can be done closes the database, opens
    /// it anew, and checks it as at a start. What was signed is then written anew and synced, or read as before. Readers are
    /// told [`Error::Reopening`] for as long as a start takes. On success what is held is yet to be counted ([`Self::count`]),
    /// then it is written again ([`Self::enable`]).
    ///
    /// # Errors
    ///
    /// [`Resume::NotYet`] where nothing was touched, [`Resume::Failed`] where it was opened anew and cannot be written.
    pub async fn resume(&self) -> Result<(), Resume> {
        let (ground, shared) = (self.ground.clone(), Arc::clone(&self.shared));
        let probed = blocking(move || {
            shared.faults.write(false).map_err(|reason| Error::WritesDisabled { reason })?;
            ground.probe()
        });
        match probed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Resume::NotYet(error)),
            Err(error) => return Err(Resume::NotYet(Error::Read(error.to_string()))),
        }
        let opened = self.shared.openings.load(Ordering::SeqCst);
        let reopened = self.submit(Job::Reopen).await;
        let touched = self.shared.openings.load(Ordering::SeqCst) > opened;
        reopened.map_err(|error| if touched { Resume::Failed(error) } else { Resume::NotYet(error) })
    }

    /// Whether all that is read is surely on the disk. Not so where the database could only be opened to be read, and its logs
    /// go on behind the last sync that is known of: opening it to be written would have written all that anew.
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.database().is_ok_and(|database| database.vouches)
    }

    /// Says, for whoever asks, whether and when it will be tried to write again.
    pub(crate) fn set_outlook(&self, outlook: &str) {
        self.shared.disabled.send_if_modified(|disabled| {
            let Some(disabled) = disabled.as_mut().filter(|disabled| &*disabled.outlook != outlook) else {
                return false;
            };
            disabled.outlook = outlook.into();
            true
        });
    }

    /// How often the store was opened anew since the start, because a write had failed.
    #[must_use]
    pub fn reopened(&self) -> u64 {
        self.shared.openings.load(Ordering::SeqCst)
    }
}
