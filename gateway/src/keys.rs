//! The secret keys of accounts that the settings name.

use std::path::Path;

use holdfast_certificate::{DisperserKey, keystore};
use holdfast_l1::Account;
use holdfast_transport::configuration::password::{self, PasswordError};

use crate::{
    config::{Config, Publish},
    error::Error,
};

/// The disperser's key, where the gateway has one.
pub(crate) fn disperser(config: &Config) -> Result<Option<DisperserKey>, Error> {
    let Some(file) = &config.disperser_key_file else { return Ok(None) };
    let key = |secret: &[u8; DisperserKey::BYTES]| DisperserKey::from_bytes(secret).map_err(|error| error.to_string());
    of_file("disperser key", file, config.disperser_password_file.as_deref(), key).map(Some)
}

/// The account that pays for what is published.
pub(crate) fn account(settings: &Publish) -> Result<Account, Error> {
    let account = |secret: &[u8; 32]| Account::from_key(secret).map_err(|error| error.to_string());
    of_file("account key", &settings.key_file, settings.password_file.as_deref(), account)
}

/// What `make` makes of the secret in a key file.
fn of_file<T>(
    what: &'static str,
    file: &Path,
    password_file: Option<&Path>,
    make: impl FnOnce(&[u8; 32]) -> Result<T, String>,
) -> Result<T, Error> {
    let failed = |reason: String| Error::File { what, file: file.into(), reason };
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let password = |place: &Path| {
        let wrong =
            |error: PasswordError| Error::File { what: "password", file: place.into(), reason: error.to_string() };
        password::password(place).map_err(wrong)
    };
    let password = password_file.map(password).transpose()?;
    let secret = keystore::secret_of(&text, password.as_deref()).map_err(|error| failed(error.to_string()))?;
    make(&secret).map_err(failed)
}
