//! Where a password is, wherever a password file is asked for: a file, a credential that systemd hands over, or a variable.
//!
//! ```text
//! password.txt           a file
//! credential:password    the file `password` in $CREDENTIALS_DIRECTORY (systemd.exec(5), LoadCredential=password:...)
//! env:MEMBER_PASSWORD    the variable MEMBER_PASSWORD
//! ```

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

const CREDENTIAL: &str = "credential:";
const VARIABLE: &str = "env:";
/// Where systemd puts the credentials of a service.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";
/// The most that is read of a password's file, in bytes.
const MOST_BYTES: u64 = 64 << 10;

/// Why there is no password. None of it says anything of the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read, or is no text of at most 64 KiB.
    #[error("{reason}")]
    File {
        /// What is wrong.
        reason: String,
    },
    /// No service manager has handed credentials over.
    #[error(
        "there is no credential {name:?}, since CREDENTIALS_DIRECTORY is not set: systemd sets it where the unit has LoadCredential={name}:FILE"
    )]
    NoCredentials {
        /// The credential.
        name: String,
    },
    /// The service manager has handed others over.
    #[error("the credential {name:?} cannot be read: {reason}; the unit must have LoadCredential={name}:FILE")]
    Credential {
        /// The credential.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The name of a credential is one part of a path.
    #[error("{name:?} is no name of a credential")]
    Name {
        /// What is there.
        name: String,
    },
    /// The variable is not set, empty, or no text.
    #[error("the variable {name} {reason}")]
    Variable {
        /// Its name.
        name: String,
        /// What it is instead.
        reason: &'static str,
    },
}

/// The password that is there: without the newlines at its end.
///
/// # Errors
///
/// [`PasswordError`].
pub fn password(place: &Path) -> Result<String, PasswordError> {
    of(place, |name| env::var_os(name))
}

/// The same place as seen from `folder`, to which a relative path is relative. What is no file is the same from everywhere.
#[must_use]
pub fn place(folder: &Path, place: &Path) -> PathBuf {
    if names_no_file(place) { place.to_owned() } else { folder.join(place) }
}

fn names_no_file(place: &Path) -> bool {
    place.to_str().is_some_and(|text| text.starts_with(CREDENTIAL) || text.starts_with(VARIABLE))
}

fn of(place: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<String, PasswordError> {
    let text = place.to_str().unwrap_or_default();
    let password = if let Some(name) = text.strip_prefix(VARIABLE) {
        let wrong = |reason| PasswordError::Variable { name: name.to_owned(), reason };
        let value = variable(name).ok_or_else(|| wrong("is not set"))?;
        let value = value.into_string().map_err(|_| wrong("is no UTF-8 text"))?;
        if value.is_empty() {
            return Err(wrong("is empty"));
        }
        value
    } else if let Some(name) = text.strip_prefix(CREDENTIAL) {
        let name = name.to_owned();
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            return Err(PasswordError::Name { name });
        }
        let Some(folder) = variable(FOLDER) else { return Err(PasswordError::NoCredentials { name }) };
        read(&Path::new(&folder).join(&name)).map_err(|reason| PasswordError::Credential { name, reason })?
    } else {
        read(place).map_err(|reason| PasswordError::File { reason })?
    };
    Ok(password.trim_end_matches(['\n', '\r']).to_owned())
}

fn read(file: &Path) -> Result<String, String> {
    // A FIFO has no length, and is read to its end.
    let length = fs::metadata(file).map_err(|error| error.to_string())?.len();
    if length > MOST_BYTES {
        return Err(format!("it has {length} bytes, expected at most {MOST_BYTES}"));
    }
    fs::read_to_string(file).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_from_a_file_a_credential_or_a_variable_without_its_newline() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        fs::write(&file, "swordfish \n").expect("written");
        let known = |name: &str| match name {
            FOLDER => Some(folder.path().into()),
            "MEMBER_PASSWORD" => Some("swordfish ".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        for place in [file.as_path(), Path::new("credential:password"), Path::new("env:MEMBER_PASSWORD")] {
            assert_eq!(of(place, known).expect("there"), "swordfish ", "{}", place.display());
        }
        for (place, says) in [
            ("credential:other", "LoadCredential=other:FILE"),
            ("credential:../password", "no name of a credential"),
            ("credential:", "no name of a credential"),
            ("env:EMPTY", "is empty"),
            ("env:OTHER", "is not set"),
        ] {
            let error = of(Path::new(place), known).expect_err(place).to_string();
            assert!(error.contains(says) && !error.contains("swordfish"), "{place}: {error}");
        }
        let error = of(Path::new("credential:password"), |_| None).expect_err("no systemd").to_string();
        assert!(error.contains("CREDENTIALS_DIRECTORY is not set"), "{error}");
    }

    #[test]
    fn only_what_names_a_file_is_relative_to_the_settings() {
        for (given, seen) in [
            ("password.txt", "/etc/holdfast/password.txt"),
            ("/run/password", "/run/password"),
            ("credential:password", "credential:password"),
            ("env:PASSWORD", "env:PASSWORD"),
        ] {
            assert_eq!(place(Path::new("/etc/holdfast"), Path::new(given)), Path::new(seen));
        }
    }
}
