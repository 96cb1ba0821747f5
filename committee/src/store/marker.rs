//! `store.json`: that there is a store in this folder, and whose. It lies outside of the database, so that a folder without
//! it (a disk that is not mounted, half a copy) is not taken for a store in which nothing was ever stored.

use std::{
    fmt, fs,
    io::ErrorKind,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use holdfast_certificate::{Address, Domain, PublicKey};
use serde::{Deserialize, Serialize};

use super::{Error, records::FORMAT};
use crate::files;

/// The file's name.
pub(super) const FILE: &str = "store.json";
/// What it is written to before it takes the place of the old one.
const NEW: &str = "store.json.new";
/// More bytes than one has.
const MOST: u64 = 64 << 10;

/// Sixteen random bytes that tell one store of a member from another: a copy of it on a second machine has the same, one
/// made anew another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId([u8; 16]);

impl StoreId {
    fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|e| Error::Read(format!("no random numbers: {e}")))?;
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<[u8; 16]> for StoreId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    pub(super) id: StoreId,
    pub(super) public_key: PublicKey,
    /// The chain and registry that it signs for; `None` until its database has been made.
    pub(super) domain: Option<Domain>,
    /// Unix seconds at which it was made.
    pub(super) made: u64,
    /// Unix seconds at which it took the place of a store that is lost, by its operator's word. What was promised in that
    /// one is not known here.
    pub(super) lost: Option<u64>,
}

/// As it stands in the file.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    format: u8,
    store_id: String,
    public_key: PublicKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain_id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry: Option<Address>,
    made_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_at: Option<u64>,
}

impl Marker {
    /// The marker of a store in which nothing has been signed.
    pub(super) fn new(public_key: PublicKey, lost: bool) -> Result<Self, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        Ok(Self { id: StoreId::generate()?, public_key, domain: None, made: now, lost: lost.then_some(now) })
    }

    /// The marker in `dir`, if there is one.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let file = dir.join(FILE);
        match fs::metadata(&file) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file(&file, &e)),
            Ok(metadata) if metadata.len() > MOST => {
                let reason = format!("{} bytes are too many", metadata.len());
                return Err(Error::Broken { file, at: 0, reason });
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&file).map_err(|e| match e.kind() {
            ErrorKind::InvalidData => Error::Broken { file: file.clone(), at: 0, reason: e.to_string() },
            _ => Error::file(&file, &e),
        })?;
        Self::decode(&file, text.as_bytes()).map(Some)
    }

    /// The marker that stands in `file`.
    pub(super) fn decode(file: &Path, text: &[u8]) -> Result<Self, Error> {
        let broken = |reason: String| Error::Broken { file: file.into(), at: 0, reason };
        /// Every version says its format, whatever else it says.
        #[derive(Deserialize)]
        struct Format {
            format: u8,
        }
        let Format { format } = serde_json::from_slice(text).map_err(|e| broken(e.to_string()))?;
        if format != FORMAT {
            return Err(Error::Format { dir: file.parent().unwrap_or(file).into(), expected: FORMAT, got: format });
        }
        let text: Text = serde_json::from_slice(text).map_err(|e| broken(e.to_string()))?;
        let id: [u8; 16] = hex::decode(&text.store_id)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| broken(format!("storeId must be 16 bytes in hex, got {:?}", text.store_id)))?;
        let domain = match (text.chain_id, text.registry) {
            (Some(chain_id), Some(registry)) => Some(Domain { chain_id, registry }),
            (None, None) => None,
            _ => return Err(broken("chainId and registry go together".into())),
        };
        Ok(Self { id: id.into(), public_key: text.public_key, domain, made: text.made_at, lost: text.lost_at })
    }

    /// Writes and syncs the marker in one step: whoever reads sees the old one or this.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Error> {
        let new = dir.join(NEW);
        files::replace(&dir.join(FILE), &new, &self.encode()?).map_err(|e| Error::file(&new, &e))
    }

    /// As it stands in the file.
    pub(super) fn encode(&self) -> Result<Vec<u8>, Error> {
        let text = Text {
            format: FORMAT,
            store_id: self.id.to_string(),
            public_key: self.public_key,
            chain_id: self.domain.map(|domain| domain.chain_id),
            registry: self.domain.map(|domain| domain.registry),
            made_at: self.made,
            lost_at: self.lost,
        };
        let mut bytes = serde_json::to_vec_pretty(&text).map_err(|e| Error::Read(e.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_taken_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path();
        assert_eq!(Marker::read(dir).expect("read"), None);
        let key = SecretKey::derive_master(&[7; 32]).expect("a key").public_key();
        let mut marker = Marker::new(key, true).expect("made");
        for domain in [None, Some(Domain { chain_id: 1, registry: Address::from([2; 20]) })] {
            marker.domain = domain;
            marker.write(dir).expect("written");
            assert_eq!(Marker::read(dir).expect("read"), Some(marker.clone()));
        }
        let text = fs::read_to_string(dir.join(FILE)).expect("read");
        for (from, to) in [("\"format\": 2", "\"format\": 1"), ("0x", "0y"), ("\"storeId\": \"", "\"storeId\": \"00")] {
            fs::write(dir.join(FILE), text.replacen(from, to, 1)).expect("written");
            let error = Marker::read(dir).expect_err("changed");
            assert_eq!(matches!(error, Error::Format { got: 1, .. }), from.contains("format"), "{error}");
        }
        for bytes in [&b""[..], b"{}", &[0; 100], &[0xff; 100]] {
            fs::write(dir.join(FILE), bytes).expect("written");
            assert!(matches!(Marker::read(dir), Err(Error::Broken { .. })));
        }
    }
}
