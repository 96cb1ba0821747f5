//! `holdfast-archive.json`: whose archive this is. Beside it the store records which archive is its own, so that neither a
//! prefix that two members share, nor an empty bucket in the place of a full one, is taken for the archive.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_certificate::PublicKey;
use serde::{Deserialize, Serialize};

use super::{bucket::Bucket, trouble::Error};
use crate::store::{Change, Store, StoreId};

/// Its name.
const NAME: &str = "holdfast-archive.json";
const FORMAT: u8 = 1;
/// More bytes than one has.
const MOST: u64 = 16 << 10;

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marker {
    format: u8,
    /// Sixteen random bytes that tell one archive from another.
    archive: String,
    public_key: PublicKey,
    /// The store whose data it has.
    store_id: String,
}

/// Makes sure that the archive is this store's, and makes it so where it is nobody's and the store has none.
pub(super) async fn confirm(bucket: &Bucket, key: &PublicKey, store: &Arc<Store>) -> Result<(), Error> {
    let reader = Arc::clone(store);
    let recorded = tokio::task::spawn_blocking(move || reader.archive());
    let recorded = recorded.await.map_err(|e| Error::Away(e.to_string()))??;
    let found = read(bucket).await?;
    let (recorded, found) = match (recorded, found) {
        (Some(recorded), Some(found)) => (recorded, found),
        (Some(recorded), None) => {
            let recorded = String::from_utf8_lossy(&recorded).into_owned();
            return Err(Error::Foreign(format!("{NAME} is not there, and archive {recorded} of this store has one")));
        }
        (None, None) => {
            let made = Marker::new(key, store.id())?;
            let bytes = made.encode()?;
            if !bucket.put_new(NAME, bytes).await? {
                return Err(Error::Foreign("another member has just taken it".into()));
            }
            // Where two were first, one of them reads the other's.
            match read(bucket).await? {
                Some(found) if found == made => {}
                _ => return Err(Error::Foreign("another member has just taken it".into())),
            }
            return record(store, &made.archive).await;
        }
        // Made by this store, before it could record that.
        (None, Some(found)) if found.is_of(key, store.id()) => return record(store, &found.archive).await,
        (None, Some(found)) => return Err(Error::Foreign(found.owner(key))),
    };
    if !found.is_of(key, store.id()) {
        return Err(Error::Foreign(found.owner(key)));
    }
    if found.archive.as_bytes() != recorded.as_ref() {
        let recorded = String::from_utf8_lossy(&recorded).into_owned();
        return Err(Error::Foreign(format!("it is archive {}, and this store's is {recorded}", found.archive)));
    }
    Ok(())
}

/// Makes the archive of an earlier store of the same member this store's; false where there is none.
pub(super) async fn take_over(bucket: &Bucket, key: &PublicKey, store: &Store) -> Result<bool, Error> {
    let Some(found) = read(bucket).await? else { return Ok(false) };
    if found.public_key != *key {
        return Err(Error::Foreign(found.owner(key)));
    }
    let taken = Marker { store_id: store.id().to_string(), ..found };
    bucket.put_unlocked(NAME, taken.encode()?).await?;
    record(store, &taken.archive).await?;
    Ok(true)
}

async fn record(store: &Store, archive: &str) -> Result<(), Error> {
    Ok(store.change(Change::Of(Bytes::copy_from_slice(archive.as_bytes()))).await?)
}

async fn read(bucket: &Bucket) -> Result<Option<Marker>, Error> {
    let object = match bucket.get(NAME, MOST).await {
        Ok(object) => object,
        Err(Error::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let marker: Result<Marker, _> = serde_json::from_slice(&object.bytes);
    let marker = marker.map_err(|e| Error::Foreign(format!("{NAME} cannot be read: {e}")))?;
    if marker.format != FORMAT {
        return Err(Error::Foreign(format!("its format is {}, expected {FORMAT}", marker.format)));
    }
    Ok(Some(marker))
}

impl Marker {
    fn new(key: &PublicKey, store: StoreId) -> Result<Self, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::Settings(format!("no random numbers: {e}")))?;
        Ok(Self { format: FORMAT, archive: hex::encode(random), public_key: *key, store_id: store.to_string() })
    }

    fn encode(&self) -> Result<Bytes, Error> {
        serde_json::to_vec_pretty(self).map(Bytes::from).map_err(|e| Error::Settings(e.to_string()))
    }

    fn is_of(&self, key: &PublicKey, store: StoreId) -> bool {
        self.public_key == *key && self.store_id == store.to_string()
    }

    fn owner(&self, key: &PublicKey) -> String {
        if self.public_key == *key {
            format!(
                "it is that of store {} of this member; `holdfast member recover --from-archive` makes it this one's",
                self.store_id
            )
        } else {
            format!("it is that of the member with key {}", self.public_key)
        }
    }
}
