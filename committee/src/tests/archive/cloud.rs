//! A bucket in memory that can be out of reach, refuse, or be tampered with.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use futures::stream::{self, BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};

use super::super::*;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    Well,
    Away,
    Denies,
    /// Puts nothing where it says that it did.
    Forgets,
}

#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) inner: InMemory,
    mood: AtomicU8,
    pub(super) gets: AtomicU64,
    pub(super) puts: AtomicU64,
    /// An object with this in its name is not taken, given or removed.
    poison: Mutex<Option<String>>,
    /// Of an object with this in its name nothing ever comes, as often as it was asked for.
    stall: Mutex<Option<String>>,
    pub(super) stalled: AtomicU64,
}

impl Cloud {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            mood: 0.into(),
            gets: 0.into(),
            puts: 0.into(),
            poison: Mutex::default(),
            stall: Mutex::default(),
            stalled: 0.into(),
        })
    }

    pub(super) fn is(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    pub(super) fn poison(&self, part: Option<String>) {
        *self.poison.lock().expect("no panic") = part;
    }

    pub(super) fn stall(&self, part: Option<String>) {
        *self.stall.lock().expect("no panic") = part;
    }

    /// Names of all objects.
    pub(super) async fn names(&self) -> Vec<String> {
        use futures::TryStreamExt as _;
        let all: Vec<ObjectMeta> = self.inner.list(None).try_collect().await.expect("listed");
        all.into_iter().map(|meta| meta.location.to_string()).filter(|name| name.starts_with("blobs/")).collect()
    }

    pub(super) async fn read(&self, name: &str) -> Vec<u8> {
        self.inner.get(&Path::from(name)).await.expect("there").bytes().await.expect("read").to_vec()
    }

    pub(super) async fn write(&self, name: &str, bytes: Vec<u8>) {
        self.inner.put(&Path::from(name), bytes.into()).await.expect("written");
    }

    pub(super) async fn remove(&self, name: &str) {
        self.inner.delete(&Path::from(name)).await.expect("removed");
    }

    fn of(&self, location: &Path) -> Result<()> {
        let poison = self.poison.lock().expect("no panic");
        if poison.as_ref().is_some_and(|part| location.as_ref().contains(part)) {
            return Err(Error::Generic { store: "cloud", source: "this one object".into() });
        }
        drop(poison);
        self.mood()
    }

    fn mood(&self) -> Result<()> {
        let source = || "as told by the test".into();
        match self.mood.load(Ordering::SeqCst) {
            1 => Err(Error::Generic { store: "cloud", source: source() }),
            2 => Err(Error::PermissionDenied { path: String::new(), source: source() }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cloud")
    }
}

#[tonic::async_trait]
impl ObjectStore for Cloud {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.of(location)?;
        self.puts.fetch_add(1, Ordering::SeqCst);
        if self.mood.load(Ordering::SeqCst) == Mood::Forgets as u8 {
            return self.inner.put_opts(&Path::from("elsewhere"), payload, options).await;
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.of(location)?;
        self.gets.fetch_add(1, Ordering::SeqCst);
        let stalls = self.stall.lock().expect("no panic").as_ref().is_some_and(|part| location.as_ref().contains(part));
        if stalls {
            self.stalled.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.mood() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.mood() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => Box::pin(stream::iter([Err(error)])),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
