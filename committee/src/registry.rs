//! Where the member learns who the committee is.

use std::{path::Path, sync::Arc};

use holdfast_certificate::CommitteeFile;
use holdfast_registry::{FileRegistry, Registry};

use crate::{config::Config, error::Error, files::read};

/// The registry that the settings name: a contract on L1, or a committee file.
///
/// # Errors
///
/// [`Error::File`] and [`Error::Registry`].
pub async fn registry(config: &Config) -> Result<Arc<dyn Registry>, Error> {
    config.check()?;
    if let Some(l1) = &config.l1 {
        return Ok(Arc::new(l1.connect().await.map_err(holdfast_registry::Error::from)?));
    }
    let file = config.committee_file.as_deref().unwrap_or(Path::new("committee.json"));
    let text = read("committee file", file)?;
    let parsed = CommitteeFile::parse(&text).map_err(|e| Error::File {
        what: "committee file",
        file: file.into(),
        reason: e.to_string(),
    })?;
    Ok(Arc::new(FileRegistry::from_file(parsed)?))
}
