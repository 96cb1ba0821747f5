//! A namespace's payloads with what proves them, as a folder of files that can be copied, served and checked without anybody.
//!
//! ```text
//! bundle.json                      whose it is, the epochs with their keys, how long the lists are
//! published.jsonl                  the publish events of L1, in L1's order
//! held.txt                         the ids of the blobs whose payload is there
//! blobs/ab/abcd....json            a blob: its length, its code, its certificates
//! blobs/ab/abcd....bin             its payload
//! follow.json                      how far whoever keeps it has read: nobody else needs it
//! ```

pub(crate) mod index;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use holdfast_certificate::{Address, Certificate, Domain, Namespace, Statement, StatementDigest};
use holdfast_erasure::{Blob, BlobId, Dispersal, Parameters, encode};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use self::index::Published;
use crate::{
    bridge::Epoch,
    exit::{Exit, fail},
    files::MOST_PAYLOAD_BYTES,
    target,
};

/// The version of these files.
const FORMAT: u32 = 2;
/// The largest head that is read: 1000 epochs of 126 members.
const MOST_HEAD_BYTES: u64 = 64 << 20;
/// The largest file of how far was read.
const MOST_FOLLOW_BYTES: u64 = 256 << 20;
/// The largest record of a blob that is read.
const MOST_RECORD_BYTES: u64 = 1 << 20;

/// What a bundle says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Head {
    format: u32,
    pub(crate) chain_id: u64,
    pub(crate) registry: Address,
    pub(crate) namespace: Namespace,
    /// When it was last brought up to date, unix seconds.
    pub(crate) read_at: u64,
    /// Whether nothing certified was missing then.
    pub(crate) complete: bool,
    /// Who signed. Where there is a registry, it knows better.
    pub(crate) epochs: BTreeMap<u64, Epoch>,
    /// The lines of `held.txt`, at least.
    pub(crate) held: u64,
    /// What of L1 is in `published.jsonl`; none where there is no L1.
    pub(crate) l1: Option<Read>,
}

/// How far the publish events of L1 are in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Read {
    /// The last block whose events are in it; it was final.
    pub(crate) through: u64,
    /// The lines of `published.jsonl`, at least.
    pub(crate) published: u64,
}

/// What a bundle says of one blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) blob_id: BlobId,
    pub(crate) payload_length: u32,
    pub(crate) original_shards: u16,
    pub(crate) total_shards: u16,
    /// Whether it was dispersed by payload, so that its id binds keccak256 of it.
    pub(crate) by_payload: bool,
    /// In compact encoding, one for each statement; the latest retention first.
    pub(crate) certificates: Vec<String>,
}

/// What there is of a bundle's head.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    Nothing,
    /// What is there is no JSON, and why: somebody's disk, and no other version, has made it so.
    Damaged(String),
    Sound(Head),
}

/// A folder with a bundle in it, or in the making.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    folder: PathBuf,
}

impl Head {
    pub(crate) fn new(domain: &Domain, namespace: Namespace) -> Self {
        let (chain_id, registry) = (domain.chain_id, domain.registry);
        let (epochs, held, l1) = (BTreeMap::new(), 0, None);
        Self { format: FORMAT, chain_id, registry, namespace, read_at: 0, complete: false, epochs, held, l1 }
    }

    pub(crate) fn domain(&self) -> Domain {
        Domain { chain_id: self.chain_id, registry: self.registry }
    }
}

impl Record {
    pub(crate) fn new(blob: &Blob) -> Self {
        Self {
            blob_id: blob.id(),
            payload_length: blob.payload_length,
            original_shards: blob.original_shards,
            total_shards: blob.total_shards,
            by_payload: blob.is_by_payload(),
            certificates: Vec::new(),
        }
    }

    /// Takes a certificate in, unless one of the same statement is there.
    pub(crate) fn add(&mut self, certificate: &Certificate) -> bool {
        let mut known: Vec<Certificate> = self.certificates.iter().filter_map(|hex| decode(hex).ok()).collect();
        if known.iter().any(|known| known.statement == certificate.statement) {
            return false;
        }
        known.push(*certificate);
        known.sort_by_key(|it| std::cmp::Reverse(it.statement.retain_until));
        self.certificates = known.iter().map(|it| format!("0x{}", hex::encode(it.encode()))).collect();
        true
    }

    /// Whether it has a certificate of that statement.
    pub(crate) fn proves(&self, domain: &Domain, statement: &StatementDigest) -> bool {
        self.certificates().unwrap_or_default().iter().any(|it| it.digest(domain) == *statement)
    }

    /// Its certificates, or why one does not decode or is of another blob.
    pub(crate) fn certificates(&self) -> Result<Vec<Certificate>, String> {
        let of_this = |certificate: Certificate| {
            let of = certificate.statement.blob.id();
            if of == self.blob_id {
                Ok(certificate)
            } else {
                Err(format!("it has a certificate of another blob, {of}"))
            }
        };
        self.certificates.iter().map(|hex| decode(hex).and_then(of_this)).collect()
    }

    /// Whether the payload makes this blob.
    pub(crate) fn check(&self, payload: Vec<u8>) -> Result<(), String> {
        let dispersal = if self.by_payload { Dispersal::ByPayload } else { Dispersal::ByShard };
        let code = Parameters::new(self.original_shards, self.total_shards).map_err(|error| error.to_string())?;
        let encoded = encode(code, payload.into(), dispersal).map_err(|error| error.to_string())?;
        match encoded.id() {
            id if id == self.blob_id => Ok(()),
            other => Err(format!("its payload makes another blob, {other}")),
        }
    }
}

impl Bundle {
    /// The bundle in this folder, which is made if it is not there.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self::at(folder))
    }

    /// Keeps other keepers of this bundle out for as long as what it gives is there: two of them would each undo what the other
    /// has noted.
    pub(crate) fn lock(&self) -> anyhow::Result<fs::File> {
        let file = self.folder.join("lock");
        let opened = fs::File::create(&file).with_context(|| format!("cannot make {}", file.display()))?;
        match opened.try_lock() {
            Ok(()) => Ok(opened),
            Err(fs::TryLockError::WouldBlock) => {
                fail(Exit::Unsafe, format!("another process keeps the bundle in {}", self.folder.display()))
            }
            Err(fs::TryLockError::Error(error)) => Err(error).context(format!("cannot lock {}", file.display())),
        }
    }

    /// What is in this folder, if anything.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The head; one of another version, or whose JSON says something else than a head does, is an error.
    pub(crate) fn head(&self) -> anyhow::Result<Found> {
        let file = self.folder.join("bundle.json");
        if !file.exists() {
            return Ok(Found::Nothing);
        }
        let bytes = read(&file, MOST_HEAD_BYTES)?;
        let head: Head = match (serde_json::from_slice(&bytes), serde_json::from_slice::<IgnoredAny>(&bytes)) {
            (Ok(head), _) => head,
            (Err(error), Err(_)) => return Ok(Found::Damaged(error.to_string())),
            (Err(error), Ok(_)) => return fail(Exit::Usage, format!("{} is no such file: {error}", file.display())),
        };
        if head.format != FORMAT {
            return fail(Exit::Usage, format!("{} has format {}, expected {FORMAT}", file.display(), head.format));
        }
        Ok(Found::Sound(head))
    }

    pub(crate) fn write_head(&self, head: &Head) -> anyhow::Result<()> {
        target::write(&self.folder.join("bundle.json"), &json(head)?)
    }

    /// What is known of a blob; none where nothing is, or what is there cannot be read.
    pub(crate) fn record(&self, id: &BlobId) -> Option<Record> {
        let record: Record = parse(&self.file(id, "json"), MOST_RECORD_BYTES).ok()?;
        (record.blob_id == *id).then_some(record)
    }

    pub(crate) fn write_record(&self, record: &Record) -> anyhow::Result<()> {
        target::write_one_of_many(&self.place(&record.blob_id, "json")?, &json(record)?)
    }

    /// Whether a blob's payload is there with a certificate of this statement.
    pub(crate) fn has(&self, domain: &Domain, statement: &Statement, digest: &StatementDigest) -> bool {
        let record = self.record(&statement.blob.id());
        record.is_some_and(|record| record.proves(domain, digest) && self.has_payload(&record))
    }

    /// Whether the certificate that an event speaks of is there.
    pub(crate) fn proves(&self, domain: &Domain, published: &Published) -> bool {
        self.record(&published.blob_id).is_some_and(|record| record.proves(domain, &published.statement))
    }

    /// Whether a payload of this length is there.
    pub(crate) fn has_payload(&self, record: &Record) -> bool {
        let found = fs::metadata(self.file(&record.blob_id, "bin"));
        found.is_ok_and(|found| found.is_file() && found.len() == u64::from(record.payload_length))
    }

    pub(crate) fn write_payload(&self, id: &BlobId, payload: &[u8]) -> anyhow::Result<()> {
        target::write_one_of_many(&self.place(id, "bin")?, payload)
    }

    pub(crate) fn payload(&self, id: &BlobId) -> Result<Vec<u8>, String> {
        let file = self.file(id, "bin");
        match fs::metadata(&file) {
            Ok(found) if found.len() > MOST_PAYLOAD_BYTES => Err(format!("its file has {} bytes", found.len())),
            Ok(_) => fs::read(&file).map_err(|error| format!("its payload cannot be read: {error}")),
            Err(error) => Err(format!("its payload cannot be read: {error}")),
        }
    }

    /// The blobs whose record and payload are there, by the files alone.
    pub(crate) fn payloads(&self) -> anyhow::Result<Vec<BlobId>> {
        let shown = |folder: &Path| format!("cannot read {}", folder.display());
        let entries = |folder: &Path| match fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            found => found.and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(|| shown(folder)),
        };
        let mut found = Vec::new();
        for folder in entries(&self.folder.join("blobs"))? {
            if !folder.path().is_dir() {
                continue;
            }
            for file in entries(&folder.path())? {
                let name = file.file_name().into_string().unwrap_or_default();
                let id = name.strip_suffix(".json").and_then(|id| format!("0x{id}").parse().ok());
                found.extend(id.filter(|id| self.record(id).is_some_and(|record| self.has_payload(&record))));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// What has a bundle's keeper mend it, which does `what`.
    pub(crate) fn remedy(&self, what: &str) -> String {
        format!("`holdfast export --dir {}` {what}", self.folder.display())
    }

    pub(crate) fn published_file(&self) -> PathBuf {
        self.folder.join("published.jsonl")
    }

    pub(crate) fn held_file(&self) -> PathBuf {
        self.folder.join("held.txt")
    }

    /// How far it was read; none where that is not known, be it that the file is gone or damaged.
    pub(crate) fn follow<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        parse(&self.folder.join("follow.json"), MOST_FOLLOW_BYTES).ok()
    }

    pub(crate) fn write_follow(&self, follow: &[u8]) -> anyhow::Result<()> {
        target::write(&self.folder.join("follow.json"), follow)
    }

    /// Has the names of these blobs' files on the disk, after their bytes: a file without its name would be lost.
    pub(crate) fn sync<'a>(&self, ids: impl IntoIterator<Item = &'a BlobId>) -> anyhow::Result<()> {
        let blobs = self.folder.join("blobs");
        let mut folders: BTreeSet<PathBuf> =
            ids.into_iter().filter_map(|id| self.file(id, "bin").parent().map(Path::to_owned)).collect();
        if !folders.is_empty() {
            folders.insert(blobs);
        }
        folders.insert(self.folder.clone());
        for folder in folders {
            target::sync_folder(&folder).with_context(|| format!("cannot sync {}", folder.display()))?;
        }
        Ok(())
    }

    fn place(&self, id: &BlobId, extension: &str) -> anyhow::Result<PathBuf> {
        let file = self.file(id, extension);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(file)
    }

    fn file(&self, id: &BlobId, extension: &str) -> PathBuf {
        let name = hex::encode(id.as_bytes());
        self.folder.join("blobs").join(&name[..2]).join(format!("{name}.{extension}"))
    }
}

fn decode(text: &str) -> Result<Certificate, String> {
    let bytes =
        hex::decode(text.trim_start_matches("0x")).map_err(|error| format!("a certificate is no hex: {error}"))?;
    Certificate::decode(&bytes).map_err(|error| format!("a certificate does not decode: {error}"))
}

fn json<T: Serialize>(value: &T) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse<T: serde::de::DeserializeOwned>(file: &Path, most: u64) -> anyhow::Result<T> {
    let bytes = read(file, most)?;
    serde_json::from_slice(&bytes)
        .or_else(|error| fail(Exit::Usage, format!("{} is no such file: {error}", file.display())))
}

fn read(file: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let length = fs::metadata(file).with_context(|| format!("cannot read {shown}"))?.len();
    if length > most {
        return fail(Exit::Usage, format!("{shown} has {length} bytes, expected at most {most}"));
    }
    fs::read(file).with_context(|| format!("cannot read {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_is_no_json_is_damaged_and_one_of_another_version_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, bundle) = (folder.path().join("bundle.json"), Bundle::at(folder.path()));
        assert_eq!(bundle.head().expect("readable"), Found::Nothing);
        let head = Head::new(&Domain { chain_id: 1, registry: Address::from([7; 20]) }, Namespace::from([1; 32]));
        bundle.write_head(&head).expect("written");
        assert_eq!(bundle.head().expect("readable"), Found::Sound(head.clone()));
        let sound = fs::read_to_string(&file).expect("there");
        let zeroed = "\0".repeat(sound.len());
        for damage in ["", "{", &sound[..100], zeroed.as_str()] {
            fs::write(&file, damage).expect("written");
            let found = bundle.head().expect("readable");
            assert!(matches!(found, Found::Damaged(_)), "{damage:?}: {found:?}");
        }
        let next = sound.replace("\"format\": 2", "\"format\": 3");
        for (other, says) in [
            (next.clone(), "has format 3"),
            (next.replace("readAt", "seenAt"), "no such file"),
            ("{}".into(), "no such file"),
        ] {
            fs::write(&file, &other).expect("written");
            let refused = bundle.head().expect_err("of another version").to_string();
            assert!(refused.contains(says), "{other}: {refused}");
        }
    }

    /// What somebody hands over as a bundle: a head, and a record with its payload behind it.
    #[test]
    fn fuzz_bundles() {
        let golden = include_str!("../../testdata/golden/certificate.json");
        let certificates = holdfast_fuzz::golden(golden, "compact");
        let certificate = certificates.iter().find_map(|bytes| Certificate::decode(bytes).ok()).expect("a good one");
        let code = Parameters::new(2, 5).expect("good");
        let blob =
            *encode(code, b"a payload".as_slice().to_vec().into(), Dispersal::ByPayload).expect("encodes").blob();
        let mut head = Head::new(&Domain { chain_id: 0, registry: Address::from([7; 20]) }, Namespace::from([1; 32]));
        head.l1 = Some(Read { through: 7, published: 3 });
        let (payload, mut of_golden) = (Record::new(&blob), Record::new(&certificate.statement.blob));
        assert!(of_golden.add(&certificate));
        let line = r#"{"block":7,"logIndex":1,"blockHash":"ID","transaction":"ID","blobId":"ID","statement":"ID","payloadDigest":"ID","publisher":"ADDRESS","epoch":1,"retainUntil":3600}"#;
        let line = line.replace("ID", &blob.id().to_string()).replace("ADDRESS", &format!("0x{}", "12".repeat(20)));
        assert!(index::published(&line).is_some());
        let text = |value: Vec<u8>| String::from_utf8(value).expect("JSON");
        let [head, payload, of_golden] =
            [json(&head), json(&payload), json(&of_golden)].map(|made| text(made.expect("JSON")));
        let seeds = [head, payload, of_golden, line];
        let folder = tempfile::tempdir().expect("a folder");
        let (file, bundle) = (folder.path().join("bundle.json"), Bundle::at(folder.path()));
        holdfast_fuzz::Target::new("bundles", seeds).cases(6000).run(|bytes| {
            fs::write(&file, bytes).expect("written");
            if let Ok(Found::Sound(head)) = bundle.head() {
                bundle.write_head(&head).expect("written");
                assert_eq!(bundle.head().expect("what was written"), Found::Sound(head.clone()));
                for (number, epoch) in &head.epochs {
                    let _committee = epoch.record(*number, head.domain());
                }
            }
            fs::write(bundle.published_file(), bytes).expect("written");
            let found = index::read(&bundle.published_file(), index::published).expect("readable");
            assert!(found.bytes <= bytes.len() as u64 && (found.lines.is_empty() || found.bytes > 0));
            let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
            if let Ok(certificates) = record.certificates() {
                assert!(certificates.iter().all(|it| it.statement.blob.id() == record.blob_id));
            }
            // Nothing but its own payload makes a blob.
            if record.check(b"a payload".to_vec()).is_ok() {
                assert_eq!(record.blob_id, blob.id());
            }
            record.check(b"another".to_vec()).expect_err("of another blob");
        });
    }
}
