//! One bundle being kept: what is new is learned, fetched, and on the disk before it is noted how far was read.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use holdfast_certificate::{Certificate, Namespace};
use holdfast_client::{Client, Error, LookupOptions, RetrieveOptions, Retrieved, Wanted};
use holdfast_erasure::BlobId;
use holdfast_registry::{self as registry, Registry};
use serde::Serialize;

use super::{
    epochs,
    events::{self, Left},
    follow::{Follow, Pending},
    held,
    lists::Lists,
};
use crate::{
    bundle::{Bundle, Found, Head, Record, index},
    config::Config,
    exit::{Exit, fail},
    output::{human_bytes, plain, progress},
    times::now,
};

/// How long is waited for a blob's certificates.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);
/// A line of progress at least so often.
const TELL_EVERY: Duration = Duration::from_secs(2);
/// Blobs that are tried before it is noted what has come of them.
const AT_A_TIME: usize = 256;
/// All files are looked for so often.
const CHECKED: Duration = Duration::from_secs(24 * 3600);

/// How a bundle is kept.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) dir: PathBuf,
    pub(super) namespace: Option<Namespace>,
    /// Payloads that are read at once.
    pub(super) concurrency: usize,
    /// How long one may take.
    pub(super) deadline: Duration,
}

/// What one pass has come to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Exported {
    pub(super) namespace: String,
    pub(super) folder: PathBuf,
    /// Whether nothing certified is missing, as far as members' lists and L1 show.
    pub(super) complete: bool,
    /// Whether so many members gave their lists.
    #[serde(skip)]
    pub(super) listed: bool,
    /// Blobs whose payload is in the folder.
    pub(super) blobs: usize,
    /// Of them, those that were read now, and their bytes.
    pub(super) read: usize,
    pub(super) read_bytes: u64,
    /// Publish events of L1 in the folder's list, and the last final block that was looked at; none where there is no L1.
    pub(super) published: Option<u64>,
    pub(super) through_block: Option<u64>,
    /// L1 was away in this pass: what only it shows is not there yet.
    pub(super) l1_away: bool,
    /// Blobs that were looked at now and have no certificate so far.
    pub(super) uncertified: usize,
    /// Blobs that too few members list to be believed, and that nobody could be made to give.
    pub(super) doubtful: usize,
    /// Blobs that were published, whose time is over, and that nobody has any more.
    pub(super) gone: usize,
    pub(super) missing: Vec<Missing>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Missing {
    pub(super) blob_id: String,
    pub(super) error: String,
}

/// What goes on from one pass to the next.
#[derive(Debug)]
pub(super) struct Exporter {
    settings: Settings,
    config: Config,
    namespace: Namespace,
    registry: Arc<dyn Registry>,
    client: Client,
    bundle: Bundle,
    head: Head,
    follow: Follow,
    /// As it is on the disk.
    noted: Vec<u8>,
    held: BTreeSet<BlobId>,
    held_bytes: u64,
    /// When all files were looked for, unix seconds.
    checked: u64,
    /// L1 did not give its events in the last pass.
    away: bool,
    failures: HashMap<BlobId, Failure>,
    _lock: File,
}

/// Why a payload could not be read.
#[derive(Clone, Debug)]
struct Failure {
    error: String,
    /// Those who may have it were asked, and it is not there.
    certain: bool,
}

/// What became of one blob.
#[derive(Debug)]
struct Tried {
    record: Option<Record>,
    /// Bytes that were read now.
    read: Option<u64>,
    failure: Option<Failure>,
}

impl Exporter {
    pub(super) async fn open(settings: Settings, config: Config) -> anyhow::Result<Self> {
        let namespace = config.namespace(settings.namespace)?;
        let registry = config.bridged_registry().await?;
        let bundle = Bundle::make(&settings.dir)?;
        let domain = registry.domain();
        let found = bundle.head()?;
        let (head, lost) = match found {
            Found::Sound(head) => (head, None),
            Found::Nothing => (Head::new(&domain, namespace), Some("is missing".to_owned())),
            Found::Damaged(error) => (Head::new(&domain, namespace), Some(format!("is damaged ({error})"))),
        };
        if head.namespace != namespace || head.domain() != domain {
            let folder = settings.dir.display();
            return fail(
                Exit::Unsafe,
                format!("{folder} has the payloads of namespace {} of registry {}", head.namespace, head.registry),
            );
        }
        let lock = bundle.lock()?;
        let (held, held_bytes) = held::read(&bundle, lost.is_none().then_some(head.held))?;
        if let Some(how) = lost.as_ref().filter(|_| !held.is_empty()) {
            of_namespace(&bundle, &held, namespace)?;
            progress(format!("bundle.json {how}: it is made anew from what is in the folder"));
        }
        let mut follow = bundle.follow::<Follow>().and_then(Follow::usable).unwrap_or_default();
        events::restore(&bundle, &domain, (&mut follow, &held, now()))?;
        let client = Client::builder().registry(Arc::clone(&registry)).namespace(namespace).build()?;
        Ok(Self {
            settings,
            config,
            namespace,
            registry,
            client,
            bundle,
            head,
            follow,
            noted: Vec::new(),
            held,
            held_bytes,
            // What a head knew is learned from the files.
            checked: if lost.is_some() { 0 } else { now() },
            away: false,
            failures: HashMap::new(),
            _lock: lock,
        })
    }

    /// Brings the folder up to date. `full` reads every list from its start and looks for every file, which is done once a day
    /// in any case.
    pub(super) async fn pass(&mut self, full: bool) -> anyhow::Result<Exported> {
        let started = now();
        if self.away {
            // A registry that was away at the start stays so.
            self.registry = self.config.bridged_registry().await?;
            let client = Client::builder().registry(Arc::clone(&self.registry)).namespace(self.namespace);
            self.client = client.build()?;
        }
        if full || started.saturating_sub(self.checked) >= CHECKED.as_secs() {
            self.look_for_files()?;
            self.checked = started;
        }
        if full {
            self.follow.hurry();
        }
        let mut exported = self.nothing();
        let opened = (&mut self.follow, full, started);
        let mut lists = Lists::open(&self.client, &*self.registry, self.namespace, opened).await?;
        let (mut chain, mut told) = (Left::More, tokio::time::Instant::now());
        self.away = false;
        loop {
            let mut epochs = BTreeSet::new();
            if chain == Left::More {
                chain = self.read_events(&mut epochs, started).await?;
            }
            let known = (&mut self.follow, &self.held, started);
            let more = lists.round(&self.bundle, known, &mut epochs).await;
            let due = self.fetch(&mut epochs, started, &mut exported, &mut told).await?;
            self.note_epochs(&epochs).await?;
            self.save()?;
            if !due && !(self.follow.has_room() && (more || chain == Left::More)) {
                break;
            }
        }
        (exported.listed, exported.l1_away) = (lists.is_complete(), self.away);
        exported.complete = exported.listed && chain != Left::More && !self.away;
        self.settle(&lists, &mut exported);
        exported.blobs = self.held.len();
        let read = events::read(&self.follow);
        (exported.published, exported.through_block) = (read.map(|it| it.published), read.map(|it| it.through));
        self.head.complete = exported.complete && exported.missing.is_empty();
        self.head.read_at = started;
        self.save()?;
        Ok(exported)
    }

    async fn read_events(&mut self, epochs: &mut BTreeSet<u64>, now: u64) -> anyhow::Result<Left> {
        let known = (&mut self.follow, &self.held, now);
        match events::page(&*self.registry, self.namespace, &self.bundle, known, epochs).await {
            Ok(left) => Ok(left),
            // Members are read all the same.
            Err(error) if error.is::<registry::Error>() => {
                progress(format!("without the publish events of L1: {}", plain(&format!("{error:#}"))));
                self.away = true;
                Ok(Left::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// Tries what is due, and not too much at once: what is there is noted before more is tried. Tells whether there is more.
    async fn fetch(
        &mut self,
        epochs: &mut BTreeSet<u64>,
        started: u64,
        exported: &mut Exported,
        told: &mut tokio::time::Instant,
    ) -> anyhow::Result<bool> {
        let mut due = self.follow.due(started);
        let more = due.len() > AT_A_TIME;
        due.truncate(AT_A_TIME);
        let (this, of) = (&*self, due.len());
        let tries = due.into_iter().filter_map(|id| Some((id, this.follow.pending.get(&id)?)));
        let mut tries = stream::iter(tries)
            .map(|(id, pending)| async move { (id, this.one(id, pending).await) })
            .buffered(this.settings.concurrency);
        let mut ended = Vec::new();
        while let Some((id, tried)) = tries.next().await {
            let tried = tried?;
            exported.read += usize::from(tried.read.is_some());
            exported.read_bytes += tried.read.unwrap_or(0);
            ended.push((id, tried));
            if told.elapsed() >= TELL_EVERY {
                *told = tokio::time::Instant::now();
                progress(format!("{} of {of} blobs, {} read", ended.len(), human_bytes(exported.read_bytes)));
            }
        }
        drop(tries);
        let (domain, mut new, mut written) = (self.registry.domain(), Vec::new(), Vec::new());
        for (id, Tried { record, failure, .. }) in ended {
            let Some(pending) = self.follow.pending.get_mut(&id) else { continue };
            match (record, failure) {
                (Some(record), None) => {
                    self.failures.remove(&id);
                    written.push(id);
                    if self.held.insert(id) {
                        new.push(id);
                    }
                    exported.uncertified += usize::from(record.certificates.is_empty());
                    let certificates = record.certificates().unwrap_or_default();
                    epochs.extend(certificates.iter().map(|it| it.statement.epoch));
                    pending.wanted.retain(|digest, _| !certificates.iter().any(|it| it.digest(&domain) == *digest));
                    pending.give_up(now());
                    if pending.wanted.is_empty() {
                        self.follow.pending.remove(&id);
                    } else {
                        pending.put_off(now());
                    }
                }
                (_, failure) => {
                    pending.put_off(now());
                    let nothing = || Failure { error: "its payload cannot be written".to_owned(), certain: false };
                    self.failures.insert(id, failure.unwrap_or_else(nothing));
                }
            }
        }
        // Also of what was there, and has one certificate more.
        self.bundle.sync(&written)?;
        if !new.is_empty() {
            let lines: String = new.iter().map(|id| format!("{id}\n")).collect();
            self.held_bytes = index::append(&self.bundle.held_file(), self.held_bytes, &lines)?;
        }
        Ok(more)
    }

    /// Brings one blob into the folder: its payload, and its record with the certificates that members and L1 have.
    async fn one(&self, id: BlobId, pending: &Pending) -> anyhow::Result<Tried> {
        let known = self.bundle.record(&id);
        let mut record = known.clone();
        let (mut read, mut failure) = (None, None);
        if !record.as_ref().is_some_and(|record| self.bundle.has_payload(record)) {
            match self.retrieve(id, pending.epoch()).await {
                Ok(got) => {
                    self.bundle.write_payload(&id, &got.payload)?;
                    read = Some(got.payload.len() as u64);
                    record.get_or_insert_with(|| Record::new(&got.blob));
                }
                Err(error) => failure = Some(Failure { error: error.to_string(), certain: is_certain(&error) }),
            }
        }
        if let Some(record) = &mut record {
            self.certify(pending, record).await;
            if known.as_ref() != Some(record) {
                self.bundle.write_record(record)?;
            }
        }
        Ok(Tried { record, read, failure })
    }

    /// In the epoch that signed it, and where it is not there any more, in others that hold it on.
    async fn retrieve(&self, id: BlobId, epoch: Option<u64>) -> Result<Retrieved, Error> {
        let options = || RetrieveOptions::default().deadline(self.settings.deadline);
        if let Some(epoch) = epoch {
            match self.client.retrieve(id, options().epoch(epoch)).await {
                Err(error) if is_certain(&error) => {}
                outcome => return outcome,
            }
        }
        self.client.retrieve(id, options()).await
    }

    /// Adds the certificates that are wanted: from members, and what none of them gives from the data of L1's transactions.
    async fn certify(&self, pending: &Pending, record: &mut Record) {
        let domain = self.registry.domain();
        let lacks = |record: &Record| pending.wanted.keys().any(|digest| !record.proves(&domain, digest));
        if lacks(record) || record.certificates.is_empty() {
            let options = LookupOptions::default().deadline(LOOKUP_LIMIT).enough(pending.retain_until());
            let found = self.client.lookup(Wanted::Blob(record.blob_id), options).await.unwrap_or_default();
            let certificates = found.iter().flat_map(|found| &found.certificates);
            for certificate in certificates.filter(|it| it.statement.namespace == self.namespace) {
                record.add(certificate);
            }
        }
        for (digest, want) in &pending.wanted {
            let Some(published) = want.published.as_ref().filter(|_| !record.proves(&domain, digest)) else { continue };
            let publication = published.publication(self.namespace);
            if let Ok(Some(certificate)) = self.registry.published_certificate(&publication).await
                && self.is_genuine(&certificate).await
            {
                record.add(&certificate);
            }
        }
    }

    async fn is_genuine(&self, certificate: &Certificate) -> bool {
        let epoch = self.registry.epoch(certificate.statement.epoch).await;
        epoch.is_ok_and(|record| certificate.verify(&record.committee).is_ok())
    }

    /// What of the list is not in the folder, or short, is fetched again, and epochs that the head lacks are owed. Both is noted
    /// before the next head is.
    fn look_for_files(&mut self) -> anyhow::Result<()> {
        for id in &self.held {
            let record = self.bundle.record(id);
            let certificates = record.as_ref().and_then(|record| record.certificates().ok()).unwrap_or_default();
            let epochs = certificates.iter().map(|it| it.statement.epoch);
            epochs.filter(|epoch| !self.head.epochs.contains_key(epoch)).for_each(|epoch| self.follow.owe_held(epoch));
            if !record.is_some_and(|record| self.bundle.has_payload(&record)) {
                self.follow.lose(*id);
            }
        }
        self.save_follow()
    }

    /// What is missing, after everybody was asked, and what is not waited for any longer.
    fn settle(&mut self, lists: &Lists, exported: &mut Exported) {
        let of = |epoch: u64| lists.records().iter().find(|record| record.committee.epoch() == epoch);
        let faults = |epoch: u64| of(epoch).map(|record| record.committee.parameters().faults());
        let (failures, held, now) = (&mut self.failures, &self.held, now());
        self.follow.pending.retain(|id, pending| {
            let Some(failure) = failures.get(id) else { return true };
            let over = pending.retain_until() <= now;
            if held.contains(id) || (!over && (pending.is_published() || pending.is_witnessed(faults))) {
                let error = failure.error.clone();
                progress(format!("{id} is missing: {}", plain(&error)));
                exported.missing.push(Missing { blob_id: id.to_string(), error });
                return true;
            }
            exported.gone += usize::from(over && pending.is_published());
            exported.doubtful += usize::from(!over && !pending.is_published());
            let certain = failure.certain;
            if certain {
                failures.remove(id);
            }
            !certain
        });
    }

    /// The epochs of what is in the folder, so that it can be verified without a registry. Where L1 is away members are read on.
    async fn note_epochs(&mut self, epochs: &BTreeSet<u64>) -> anyhow::Result<()> {
        self.follow.owe(epochs.iter().filter(|epoch| !self.head.epochs.contains_key(epoch)));
        match epochs::note(&*self.registry, &mut self.follow, &mut self.head.epochs).await {
            Err(error) if error.fault() == registry::Fault::L1 => {
                if !std::mem::replace(&mut self.away, true) {
                    progress(format!("L1 is away, members are read on: {}", plain(&error.to_string())));
                }
                Ok(())
            }
            noted => Ok(noted?),
        }
    }

    /// Notes how far was read, last of all.
    fn save(&mut self) -> anyhow::Result<()> {
        (self.head.held, self.head.l1) = (self.held.len() as u64, events::read(&self.follow));
        self.bundle.write_head(&self.head)?;
        self.save_follow()
    }

    fn save_follow(&mut self) -> anyhow::Result<()> {
        let follow = serde_json::to_vec(&self.follow)?;
        if follow != self.noted {
            self.bundle.write_follow(&follow)?;
            self.noted = follow;
        }
        Ok(())
    }

    fn nothing(&self) -> Exported {
        Exported {
            namespace: self.namespace.to_string(),
            folder: self.settings.dir.clone(),
            complete: false,
            listed: false,
            blobs: 0,
            read: 0,
            read_bytes: 0,
            published: None,
            through_block: None,
            l1_away: false,
            uncertified: 0,
            doubtful: 0,
            gone: 0,
            missing: Vec::new(),
        }
    }
}

/// A folder without a head shows by its certificates whose it is: all are of one namespace.
fn of_namespace(bundle: &Bundle, held: &BTreeSet<BlobId>, namespace: Namespace) -> anyhow::Result<()> {
    let first = |id| Some(bundle.record(id)?.certificates().ok()?.first()?.statement.namespace);
    match held.iter().find_map(first).filter(|of| *of != namespace) {
        Some(of) => {
            fail(Exit::Unsafe, format!("the folder has the payloads of namespace {of}, and no head that is sound"))
        }
        None => Ok(()),
    }
}

/// "Could not ask" and "is not there" are different.
fn is_certain(error: &Error) -> bool {
    match error {
        Error::NotRetrievable { failures, .. } | Error::Unknown { failures, .. } => {
            !failures.iter().any(|failure| failure.reason.is_retryable())
        }
        Error::NotFound { .. }
        | Error::Expired { .. }
        | Error::PromiseBroken { .. }
        | Error::Inconsistent { .. }
        | Error::PayloadTooLarge { .. }
        | Error::Code(_) => true,
        _ => false,
    }
}
