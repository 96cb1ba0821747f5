//! Certificates that wait for L1, a file each: `waiting/EPOCH-BLOB_ID-RETAIN_UNTIL.cert`, in the compact encoding.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::UNIX_EPOCH,
};

use holdfast_certificate::{Certificate, VerifiedCertificate};
use holdfast_erasure::BlobId;

use super::files::write;

/// The most that wait. What comes on top is refused: by then L1 has been away for months.
const MAX_WAITING: usize = 100_000;
/// What the names of certificates end with.
const SUFFIX: &str = ".cert";

/// The folder.
#[derive(Debug)]
pub(super) struct Waiting {
    folder: PathBuf,
    known: Mutex<BTreeMap<String, WaitingCertificate>>,
}

/// A certificate that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WaitingCertificate {
    name: String,
    pub(super) epoch: u64,
    pub(super) blob: BlobId,
    pub(super) retain_until: u64,
    /// When it was made, unix seconds.
    pub(super) since: u64,
    pub(super) bytes: Vec<u8>,
}

impl WaitingCertificate {
    fn of(certificate: &Certificate, since: u64) -> Self {
        let statement = &certificate.statement;
        let (epoch, blob, retain_until) = (statement.epoch, statement.blob.id(), statement.retain_until);
        let name = format!("{epoch}-{blob}-{retain_until}{SUFFIX}");
        Self { name, epoch, blob, retain_until, since, bytes: certificate.encode() }
    }
}

impl Waiting {
    /// Opens the folder with what is in it. A file that holds no certificate is left where it is.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let folder = dir.join("waiting");
        fs::create_dir_all(&folder)?;
        let mut known = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().ends_with(SUFFIX) {
                continue;
            }
            let modified = entry.metadata()?.modified()?;
            let since = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            match Certificate::decode(&fs::read(entry.path())?) {
                Ok(certificate) => {
                    let waiting = WaitingCertificate::of(&certificate, since);
                    known.insert(waiting.name.clone(), waiting);
                }
                Err(error) => tracing::error!(%error, file = %entry.path().display(), "no certificate: passed over"),
            }
        }
        Ok(Self { folder, known: Mutex::new(known) })
    }

    /// Takes in a certificate, which is on disk then.
    pub(super) fn add(&self, certificate: &VerifiedCertificate, now: u64) -> io::Result<()> {
        let waiting = WaitingCertificate::of(certificate, now);
        {
            let known = self.lock();
            if known.contains_key(&waiting.name) {
                return Ok(());
            }
            if known.len() >= MAX_WAITING {
                return Err(io::Error::other(format!("{MAX_WAITING} certificates wait already")));
            }
        }
        write(&self.folder, &waiting.name, &waiting.bytes)?;
        self.lock().insert(waiting.name.clone(), waiting);
        Ok(())
    }

    /// Everything that waits, the oldest epoch first.
    pub(super) fn all(&self) -> Vec<WaitingCertificate> {
        self.lock().values().cloned().collect()
    }

    /// Forgets one.
    pub(super) fn remove(&self, waiting: &WaitingCertificate) -> io::Result<()> {
        match fs::remove_file(self.folder.join(&waiting.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.lock().remove(&waiting.name);
        Ok(())
    }

    /// How many wait, and since when the oldest does.
    pub(super) fn summary(&self) -> (usize, Option<u64>) {
        let known = self.lock();
        (known.len(), known.values().map(|waiting| waiting.since).min())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, WaitingCertificate>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::Namespace;
    use holdfast_erasure::{Dispersal, Parameters, encode};

    use super::*;

    fn certificate(seed: u8, retain_until: u64) -> VerifiedCertificate {
        use holdfast_certificate::{
            Attestation, Committee, CommitteeParameters, ProvenKey, Registration, SecretKey, Statement,
        };
        let secrets: Vec<SecretKey> = (0..2).map(|_| SecretKey::generate()).collect();
        let proven = secrets.iter().map(|key| {
            let proof = key.prove_possession(&Registration::WITHOUT_L1);
            ProvenKey::check(key.public_key(), proof, &Registration::WITHOUT_L1).expect("good")
        });
        let code = Parameters::new(1, 2).expect("good");
        let parameters = CommitteeParameters::new(code, 2, 1000).expect("good");
        let committee = Committee::off_chain(3, parameters, proven.collect()).expect("good");
        let blob = *encode(code, vec![seed; 10].into(), Dispersal::ByPayload).expect("encodes").blob();
        let namespace = Namespace::from([7; 32]);
        let statement = Statement { namespace, epoch: 3, blob, whole_until: 3600, retain_until };
        let digest = statement.digest(committee.domain());
        let signed: Vec<Attestation> =
            (0..).zip(&secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest)).collect();
        Certificate::aggregate(&committee, statement, &signed).expect("signed")
    }

    #[test]
    fn what_waits_is_there_after_a_restart_once_and_what_was_handed_over_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let (one, two) = (certificate(1, 7200), certificate(2, 3600));
        let waiting = Waiting::open(dir.path()).expect("opens");
        assert_eq!(waiting.summary(), (0, None));
        for certificate in [&one, &two, &one] {
            waiting.add(certificate, 1_000_000).expect("kept");
        }
        assert_eq!(waiting.summary(), (2, Some(1_000_000)));
        fs::write(dir.path().join("waiting/notes.txt"), "mine").expect("written");
        fs::write(dir.path().join("waiting/bad.cert"), "no certificate").expect("written");
        let again = Waiting::open(dir.path()).expect("opens");
        let all = again.all();
        assert_eq!(all.len(), 2);
        assert!(all.iter().any(|it| it.bytes == one.encode() && it.epoch == 3 && it.retain_until == 7200));
        let first = all.into_iter().next().expect("two");
        again.remove(&first).expect("removed");
        again.remove(&first).expect("removed before");
        assert_eq!(Waiting::open(dir.path()).expect("opens").all().len(), 1);
        assert!(dir.path().join("waiting/bad.cert").exists(), "what is not understood is not deleted");
    }
}
