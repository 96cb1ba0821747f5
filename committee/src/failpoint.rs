//! Places where a test stops the process or makes a write fail. Outside this crate's own tests they are empty.

#[cfg(not(test))]
pub(crate) use inert::{Faults, is_armed, reach};

#[cfg(test)]
pub(crate) use armed::{Faults, Meanwhile, arm, is_armed, reach};

#[cfg(not(test))]
mod inert {
    #[derive(Debug, Default)]
    pub(crate) struct Faults;

    impl Faults {
        #[expect(clippy::unused_self, reason = "the armed form has state")]
        pub(crate) fn write(&self, _synced: bool) -> Result<(), String> {
            Ok(())
        }

        #[expect(clippy::unused_self, reason = "the armed form has state")]
        pub(crate) fn count(&self) {}

        #[expect(clippy::unused_self, reason = "the armed form has state")]
        pub(crate) fn open(&self) -> Result<(), String> {
            Ok(())
        }
    }

    pub(crate) fn reach(_place: &str) {}

    pub(crate) fn is_armed(_place: &str) -> bool {
        false
    }
}

#[cfg(test)]
mod armed {
    use std::{
        process::Command,
        sync::{
            Mutex, PoisonError,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        time::Duration,
    };

    static ARMED: Mutex<Option<String>> = Mutex::new(None);

    /// The faults of one store.
    #[derive(Debug, Default)]
    pub(crate) struct Faults {
        /// While set, writes fail as on a full or broken disk.
        pub(crate) disk_full: AtomicBool,
        /// While set, synced writes wait as on a disk that hangs.
        pub(crate) disk_hangs: AtomicBool,
        /// Synced writes that have begun.
        pub(crate) synced: AtomicUsize,
        /// Openings to be written, in the place of a database that was closed, that are still to fail.
        pub(crate) no_open: AtomicUsize,
        /// While set, what is held is being counted.
        pub(crate) counts: AtomicBool,
        /// Counts that have begun.
        pub(crate) counted: AtomicUsize,
        /// What is done once, right before the next write.
        pub(crate) meanwhile: Mutex<Option<Meanwhile>>,
    }

    /// Something that a test does at a place in the member's own thread.
    pub(crate) struct Meanwhile(pub(crate) Box<dyn FnOnce() + Send>);

    impl std::fmt::Debug for Meanwhile {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Meanwhile")
        }
    }

    impl Faults {
        pub(crate) fn write(&self, synced: bool) -> Result<(), String> {
            self.synced.fetch_add(usize::from(synced), Ordering::SeqCst);
            while synced && self.disk_hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if let Some(Meanwhile(act)) = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take() {
                act();
            }
            if self.disk_full.load(Ordering::SeqCst) {
                return Err("IO error: no space left on device (injected)".into());
            }
            Ok(())
        }

        pub(crate) fn count(&self) {
            self.counted.fetch_add(1, Ordering::SeqCst);
            while self.counts.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        pub(crate) fn open(&self) -> Result<(), String> {
            let fails = |left: usize| left.checked_sub(1);
            match self.no_open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
                Ok(_) => Err("IO error: cannot be opened (injected)".into()),
                Err(_) => Ok(()),
            }
        }
    }

    /// From now on this process kills itself with SIGKILL where it reaches `place`.
    pub(crate) fn arm(place: &str) {
        *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = Some(place.into());
    }

    pub(crate) fn reach(place: &str) {
        if is_armed(place) {
            let killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            unreachable!("still alive after SIGKILL: {killed:?}");
        }
    }

    pub(crate) fn is_armed(place: &str) -> bool {
        ARMED.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(place)
    }
}
