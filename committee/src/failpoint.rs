//! Places where a test stops the process or makes a write fail. Outside this crate's own tests they are empty.

#[cfg(not(test))]
pub(crate) use inert::{Faults, is_armed, reach};

#[cfg(test)]
pub(crate) use armed::{Faults, arm, is_armed, reach};

#[cfg(not(test))]
mod inert {
    #[derive(Debug, Default)]
    pub(crate) struct Faults;

    impl Faults {
        #[expect(clippy::unused_self, reason = "the armed form has state")]
        pub(crate) fn write(&self, _synced: bool) -> Result<(), String> {
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
    }

    impl Faults {
        pub(crate) fn write(&self, synced: bool) -> Result<(), String> {
            self.synced.fetch_add(usize::from(synced), Ordering::SeqCst);
            while synced && self.disk_hangs.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            if self.disk_full.load(Ordering::SeqCst) {
                return Err("IO error: no space left on device (injected)".into());
            }
            Ok(())
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
