//! How much a member keeps on its disk: a budget that is checked at the start, and beyond which nothing new is promised.
//!
//! # Refused in time
//!
//! What is refused here costs the disperser one answer. A disk that is full to its end costs everybody: the store keeps room
//! for itself beside this (`store/room.rs`), but others may fill the same disk.
//!
//! # What is copied takes room
//!
//! A promise until a later day is another copy of the data, and the one before stays until its own day is over. What is held
//! counts once, so the files are measured as well: where they are more than the budget no copy is made. With an archive, what is in
//! it leaves the disk on account of the files as well ([`Disk::used`]): or else a disk full of copies would refuse what is new.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    config::{self, Config, Policy},
    store::{self, Store},
};

/// Of what the disk has for the store, by default so much is for data: the rest is for logs, indices and what RocksDB has yet to
/// delete.
const SHARE: u64 = 90;
/// Of the store's files, so much may be logs, indices, and what RocksDB has yet to delete.
const BESIDE: u64 = 1 << 30;

/// The budget, and what is on its way into the store.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    budget: u64,
    store: Arc<Store>,
    coming: Arc<AtomicU64>,
    /// Bytes of its files, as they were measured last, and what was copied since.
    files: Arc<AtomicU64>,
}

/// The budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this member keeps as much as it may: {wanted} more bytes wanted, {used} of {budget} used")]
pub(crate) struct OverBudget {
    /// Bytes that it keeps at most.
    pub(crate) budget: u64,
    /// Bytes that it keeps, and that are on their way.
    pub(crate) used: u64,
    /// Bytes of the statement.
    pub(crate) wanted: u64,
}

/// A place for data that is on its way.
#[derive(Debug)]
pub(crate) struct Place {
    coming: Arc<AtomicU64>,
    bytes: u64,
}

impl Disk {
    /// The budget of the settings, or most of what the disk has for the store in `dir`.
    pub(crate) fn open(config: &Config, store: Arc<Store>) -> Result<Self, config::Error> {
        let (policy, dir) = (&config.policy, &config.data_dir);
        let taken = store::occupied(dir).unwrap_or_default();
        let budget = budget(policy, store::free(dir).ok().map(|free| free.saturating_add(taken)))?;
        // What goes to an archive leaves the disk when that fills.
        let outgrown = promised_at_most(policy).filter(|most| *most > budget && config.archive.is_none());
        if let Some(most) = outgrown {
            tracing::warn!(
                budget,
                most,
                "disk.budget: the namespaces served may have more kept for policy.max_retention than there is room for"
            );
        }
        Ok(Self { budget, store, coming: Arc::default(), files: Arc::new(taken.into()) })
    }

    /// Bytes that are kept at most.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// Bytes of it that are used: of what is kept, or of the files if those are more.
    pub(crate) fn used(&self) -> u64 {
        self.store.usage().bytes.max(self.counted_files())
    }

    /// Bytes of files that count: what there is beside the data does not.
    fn counted_files(&self) -> u64 {
        self.files.load(Ordering::SeqCst).saturating_sub(BESIDE)
    }

    /// So many bytes were let go, which the files show when they are measured next.
    pub(crate) fn let_go(&self, bytes: u64) {
        let _always =
            self.files.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |files| Some(files.saturating_sub(bytes)));
    }

    /// Whether anything new would be taken at all.
    pub(crate) fn left(&self) -> Result<(), OverBudget> {
        let (budget, used) = (self.budget, self.used());
        if used < budget { Ok(()) } else { Err(OverBudget { budget, used, wanted: 1 }) }
    }

    /// Takes a place for so many bytes that are new here, and so many that are copied to a later day, or says how much there
    /// is. What adds none is always taken.
    pub(crate) fn admit(&self, bytes: u64, copied: u64) -> Result<Place, OverBudget> {
        let place = self.charge(bytes);
        let coming = self.coming.load(Ordering::SeqCst).saturating_sub(bytes);
        let used = self.used().saturating_add(coming);
        if bytes > 0 && used.saturating_add(bytes) > self.budget {
            return Err(OverBudget { budget: self.budget, used, wanted: bytes });
        }
        let used = self.counted_files().saturating_add(coming);
        if copied > 0 && used.saturating_add(copied) > self.budget {
            return Err(OverBudget { budget: self.budget, used, wanted: copied });
        }
        self.files.fetch_add(copied, Ordering::SeqCst);
        Ok(place)
    }

    /// Measures the files in `dir` anew. Blocking.
    pub(crate) fn measure(&self, dir: &Path) {
        if let Ok(taken) = store::occupied(dir) {
            self.files.store(taken, Ordering::SeqCst);
        }
    }

    /// As if so many bytes of files had been measured.
    #[cfg(test)]
    pub(crate) fn set_files(&self, bytes: u64) {
        self.files.store(bytes, Ordering::SeqCst);
    }

    /// Takes it whatever there is: for what was promised before.
    pub(crate) fn charge(&self, bytes: u64) -> Place {
        self.coming.fetch_add(bytes, Ordering::SeqCst);
        Place { coming: Arc::clone(&self.coming), bytes }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.coming.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// `there` is what the disk has for the store, in bytes, where the system says so.
fn budget(policy: &Policy, there: Option<u64>) -> Result<u64, config::Error> {
    let asked = policy.disk_budget_gib.map(|gib| gib.saturating_mul(1 << 30));
    match (asked, there) {
        (Some(asked), Some(there)) if asked > there => Err(config::Error::Invalid {
            key: "policy.disk_budget_gib",
            reason: format!(
                "is {} GiB, and the disk of `data_dir` has {} GiB for this member in all",
                asked >> 30,
                there >> 30
            ),
        }),
        (Some(asked), _) => Ok(asked),
        (None, Some(there)) => Ok(there / 100 * SHARE),
        (None, None) => Ok(u64::MAX),
    }
}

/// What the namespaces that are named can have kept for the longest retention, in bytes.
fn promised_at_most(policy: &Policy) -> Option<u64> {
    let each = policy.namespace_quota() / u128::from(policy.max_retention.as_secs().max(1));
    let all = each.saturating_mul(policy.namespaces.len() as u128);
    (!policy.namespaces.is_empty()).then(|| u64::try_from(all).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_budget_that_the_disk_does_not_have_is_refused_by_its_name() {
        let with = |gib| Policy { disk_budget_gib: gib, ..Policy::default() };
        assert_eq!(budget(&with(None), Some(1000)).expect("most of it"), 900);
        assert_eq!(budget(&with(Some(3)), Some(3 << 30)).expect("all of it"), 3 << 30);
        assert_eq!(budget(&with(Some(3)), None).expect("nobody knows better"), 3 << 30);
        assert_eq!(budget(&with(None), None).expect("nobody knows"), u64::MAX);
        let error = budget(&with(Some(4)), Some(3 << 30)).expect_err("more than there is").to_string();
        assert!(
            error.contains("policy.disk_budget_gib") && error.contains("4 GiB") && error.contains("3 GiB"),
            "{error}"
        );
        assert!(budget(&with(Some(u64::MAX)), Some(u64::MAX - 1)).is_err());
    }

    #[test]
    fn what_is_free_is_known_of_a_folder_that_is_there() {
        assert!(store::free(Path::new("/")).is_ok() && store::free(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn what_quotas_allow_is_compared_with_the_budget_only_where_it_is_known_who_is_served() {
        let mut policy = Policy::default();
        assert_eq!(promised_at_most(&policy), None);
        policy.namespaces = vec![[1; 32].into(), [2; 32].into()];
        // 30720 GiB-days over 90 days, twice.
        assert_eq!(promised_at_most(&policy).map(|bytes| bytes >> 30), Some(682));
    }
}
