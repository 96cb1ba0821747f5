//! The bucket, or the folder, as names and bytes. Every call of a bucket is bounded in time, and every read in length.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use holdfast_transport::{configuration::password::password, page::utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, Checksum},
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector},
    path::Path,
};

use super::{folder::Folder, trouble::Error};
use crate::{
    config::{self, Place},
    loopback::is_plain_loopback,
};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one call may take, from its beginning to the last byte.
const CALL: Duration = Duration::from_secs(120);
/// A call that the bucket failed is made again so often at once; whoever made it goes on trying by itself.
const RETRIES: usize = 2;
const RETRY_WITHIN: Duration = Duration::from_secs(20);

const LOCK_MODE: HeaderName = HeaderName::from_static("x-amz-object-lock-mode");
const LOCK_UNTIL: HeaderName = HeaderName::from_static("x-amz-object-lock-retain-until-date");
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-sdk-checksum-algorithm");

/// Where objects are.
#[derive(Debug)]
pub(super) enum Bucket {
    Folder(Folder),
    Objects(Objects),
}

/// A bucket with an API of its own.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    lock: Option<Box<Locking>>,
}

/// What makes a bucket keep an object until a time.
#[derive(Debug)]
struct Locking {
    builder: AmazonS3Builder,
    options: ClientOptions,
    mode: &'static str,
}

/// An object that was read whole.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// Until when the bucket says that it keeps it.
    pub(super) locked_until: Option<String>,
}

impl Bucket {
    /// The archive of these settings. Nothing is asked yet, but a folder has to be there.
    pub(super) fn open(settings: &config::Archive) -> Result<Self, Error> {
        let place = settings.place().map_err(|e| Error::Settings(e.to_string()))?;
        match place {
            Place::Folder(path) => {
                let opened = Folder::open(&path);
                opened.map(Self::Folder).map_err(|e| Error::Away(format!("{}: {e}", path.display())))
            }
            Place::Bucket { name, prefix } => Objects::open(settings, &name, &prefix).map(Self::Objects),
        }
    }

    /// One of which `store` has the objects.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self::Objects(Objects { store, prefix: Path::default(), lock: None })
    }

    /// Whether it is still where it was when it was opened; nobody knows of a bucket that is none of folders.
    pub(super) async fn is_there(&self) -> Result<bool, Error> {
        match self {
            Self::Folder(folder) => blocking(folder, "", |folder, _| folder.is_there()).await,
            Self::Objects(_) => Ok(true),
        }
    }

    /// Whether objects are locked.
    pub(super) fn locks(&self) -> bool {
        matches!(self, Self::Objects(Objects { lock: Some(_), .. }))
    }

    /// Writes an object, in the place of one that is there; where objects are locked, until unix second `until`.
    pub(super) async fn put(&self, name: &str, bytes: Bytes, until: u64) -> Result<(), Error> {
        let Self::Objects(Objects { lock: Some(lock), prefix, .. }) = self else {
            return self.put_unlocked(name, bytes).await;
        };
        let put = lock.until(until)?.put(&place(prefix, name), PutPayload::from_bytes(bytes)).await;
        put.map(drop).map_err(|e| told(e, name))
    }

    /// Writes an object that is not locked, in the place of one that is there.
    pub(super) async fn put_unlocked(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        match self {
            Self::Folder(folder) => blocking(folder, name, move |folder, name| folder.put(name, &bytes, false)).await,
            Self::Objects(Objects { store, prefix, .. }) => {
                let put = store.put(&place(prefix, name), PutPayload::from_bytes(bytes)).await;
                put.map(drop).map_err(|e| told(e, name))
            }
        }
    }

    /// Writes an object where there is none of that name; tells whether there was none.
    pub(super) async fn put_new(&self, name: &str, bytes: Bytes) -> Result<bool, Error> {
        match self {
            Self::Folder(folder) => {
                blocking(folder, name, move |folder, name| match folder.put(name, &bytes, true) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
                    put => put.map(|()| true),
                })
                .await
            }
            Self::Objects(Objects { store, prefix, .. }) => {
                use object_store::Error as E;
                let options = PutOptions::from(PutMode::Create);
                match store.put_opts(&place(prefix, name), PutPayload::from_bytes(bytes), options).await {
                    Ok(_) => Ok(true),
                    Err(E::AlreadyExists { .. } | E::Precondition { .. }) => Ok(false),
                    Err(error) => Err(told(error, name)),
                }
            }
        }
    }

    /// An object of at most so many bytes, whole.
    pub(super) async fn get(&self, name: &str, most: u64) -> Result<Object, Error> {
        let too_long = |length: u64| Error::Differs(format!("{name} has {length} bytes, expected at most {most}"));
        let Objects { store, prefix, .. } = match self {
            Self::Folder(folder) => {
                let (bytes, length) = blocking(folder, name, move |folder, name| folder.get(name, most)).await?;
                let whole = length <= most && bytes.len() as u64 == length;
                return if whole { Ok(Object { bytes, locked_until: None }) } else { Err(too_long(length)) };
            }
            Self::Objects(objects) => objects,
        };
        let got = store.get(&place(prefix, name)).await.map_err(|e| told(e, name))?;
        let length = got.meta.size;
        if length > most {
            return Err(too_long(length));
        }
        let locked_until = got.extensions.get::<LockedUntil>().map(|until| until.0.clone());
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let mut stream = got.into_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| told(e, name))?;
            if (bytes.len() + chunk.len()) as u64 > most {
                return Err(too_long((bytes.len() + chunk.len()) as u64));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Object { bytes: bytes.into(), locked_until })
    }

    /// The first bytes of an object that has `length`, `most` at most.
    pub(super) async fn start(&self, name: &str, length: u64, most: u64) -> Result<Bytes, Error> {
        match self {
            Self::Folder(folder) => {
                blocking(folder, name, move |folder, name| folder.get(name, most)).await.map(|(bytes, _)| bytes)
            }
            Self::Objects(Objects { store, prefix, .. }) => {
                let range = 0..length.min(most);
                store.get_range(&place(prefix, name), range).await.map_err(|e| told(e, name))
            }
        }
    }

    /// How many bytes an object has.
    pub(super) async fn length(&self, name: &str) -> Result<u64, Error> {
        match self {
            Self::Folder(folder) => blocking(folder, name, Folder::length).await,
            Self::Objects(Objects { store, prefix, .. }) => {
                let options = GetOptions { head: true, ..GetOptions::default() };
                let got = store.get_opts(&place(prefix, name), options).await.map_err(|e| told(e, name))?;
                Ok(got.meta.size)
            }
        }
    }

    /// Removes an object; one that is not there is removed.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        let deleted = match self {
            Self::Folder(folder) => blocking(folder, name, Folder::delete).await,
            Self::Objects(Objects { store, prefix, .. }) => {
                store.delete(&place(prefix, name)).await.map_err(|e| told(e, name))
            }
        };
        match deleted {
            Ok(()) | Err(Error::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All objects under a folder's name, with their lengths. A page of it, or one folder, is in memory at a time.
    pub(super) fn list<'a>(&'a self, under: &'a str) -> BoxStream<'a, Result<(String, u64), Error>> {
        match self {
            Self::Folder(folder) => stream::once(blocking(folder, under, Folder::folders))
                .map_ok(|names| stream::iter(names).map(Ok))
                .try_flatten()
                .and_then(move |name| async move { blocking(folder, &name, Folder::files).await })
                .map_ok(|files| stream::iter(files).map(Ok))
                .try_flatten()
                .boxed(),
            Self::Objects(Objects { store, prefix, .. }) => store
                .list(Some(&place(prefix, under)))
                .map_err(move |e| told(e, under))
                .try_filter_map(move |meta| async move {
                    let parts = meta.location.prefix_match(prefix);
                    Ok(parts.map(|parts| {
                        let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                        (parts.join("/"), meta.size)
                    }))
                })
                .boxed(),
        }
    }
}

impl Objects {
    fn open(settings: &config::Archive, name: &str, prefix: &str) -> Result<Self, Error> {
        let wrong = |e: object_store::Error| Error::Settings(e.to_string());
        let plain = settings.endpoint.as_deref().is_some_and(is_plain_loopback);
        let options = ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(CALL).with_allow_http(plain);
        let retry =
            RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_WITHIN };
        let client = ReqwestConnector::default().connect(&options).map_err(wrong)?;
        let of = match (&settings.access_key_id, &settings.secret_key_file) {
            (Some(id), Some(file)) => {
                let secret = password(file)
                    .map_err(|e| Error::Settings(format!("archive.secret_key_file {}: {e}", file.display())))?;
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret)
            }
            _ => AmazonS3Builder::from_env(),
        };
        let mut builder = of
            .with_bucket_name(name)
            .with_retry(retry)
            // Object Lock wants a checksum with each object, and a bucket that gets one compares.
            .with_checksum_algorithm(Checksum::SHA256)
            .with_http_connector(OneClient(HttpClient::new(Telling(client))));
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &settings.region {
            builder = builder.with_region(region);
        }
        let store: AmazonS3 = builder.clone().with_client_options(options.clone()).build().map_err(wrong)?;
        let lock = settings.lock.mode().map(|mode| {
            // One source of credentials for all.
            let builder = builder.with_credentials(Arc::clone(store.credentials()));
            Box::new(Locking { builder, options, mode })
        });
        Ok(Self { store: Arc::new(store), prefix: Path::from(prefix), lock })
    }
}

impl Locking {
    /// The same bucket, with the headers that lock what is put there.
    fn until(&self, until: u64) -> Result<AmazonS3, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCK_MODE, HeaderValue::from_static(self.mode));
        let until = HeaderValue::from_str(&utc(until)).map_err(|e| Error::Settings(e.to_string()))?;
        headers.insert(LOCK_UNTIL, until);
        // The checksum is sent as well; some servers look for its name.
        headers.insert(CHECKSUM, HeaderValue::from_static("SHA256"));
        let options = self.options.clone().with_default_headers(headers);
        self.builder.clone().with_client_options(options).build().map_err(|e| Error::Settings(e.to_string()))
    }
}

/// Gives every client of the bucket the same connections.
#[derive(Clone, Debug)]
struct OneClient(HttpClient);

impl HttpConnector for OneClient {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

/// Tells until when the bucket keeps an object, which is in the answer's headers and nowhere else.
#[derive(Debug)]
struct Telling(HttpClient);

#[derive(Clone, Debug)]
struct LockedUntil(String);

#[tonic::async_trait]
impl HttpService for Telling {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut response = self.0.execute(request).await?;
        let until = response.headers().get(LOCK_UNTIL).and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(until) = until {
            response.extensions_mut().insert(LockedUntil(until));
        }
        Ok(response)
    }
}

fn place(prefix: &Path, name: &str) -> Path {
    name.split('/').fold(prefix.clone(), |path, part| path.join(part))
}

/// Work on a folder, off the async threads.
async fn blocking<T: Send + 'static>(
    folder: &Folder,
    name: &str,
    work: impl FnOnce(&Folder, &str) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (folder, at) = (folder.clone(), name.to_owned());
    let done = tokio::task::spawn_blocking(move || work(&folder, &at)).await;
    done.map_err(|e| Error::Away(e.to_string()))?.map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::Missing { name: name.to_owned() },
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::Denied(format!("{name}: {e}")),
        _ => Error::Away(format!("{name}: {e}")),
    })
}

/// What the library says, by whose trouble it is.
fn told(error: object_store::Error, name: &str) -> Error {
    use object_store::Error as E;
    match error {
        // A bucket that is not there is not an object that is not there.
        E::NotFound { source, .. } if source.to_string().contains("NoSuchBucket") => {
            Error::Denied("there is no such bucket".into())
        }
        E::NotFound { .. } => Error::Missing { name: name.to_owned() },
        E::PermissionDenied { source, .. } | E::Unauthenticated { source, .. } => Error::Denied(source.to_string()),
        other => Error::Away(other.to_string()),
    }
}
