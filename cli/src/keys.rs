//! `holdfast keys`: a member's BLS key in an ERC-2335 keystore, an account's key in a keystore or in hex.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use holdfast_certificate::{
    DisperserKey, Registration, SecretKey,
    keystore::{Keystore, Strength, Web3Keystore},
};
use serde::Serialize;

use crate::{
    exit::{Exit, fail},
    files,
    output::Output,
    registration::RegistrationArgs,
};

/// Make and show signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a new key: a member's, in an encrypted keystore (ERC-2335); or, with --disperser, that of an account.
    ///
    /// Example: holdfast keys new --keystore m0.json --password-file m0.password
    ///
    /// Example: holdfast keys new --disperser --key-file disperser.key
    New {
        /// Make a secp256k1 key, which signs dispersals or L1 transactions, and print its address. Its keystore is of the
        /// kind that geth and Foundry write.
        #[arg(long)]
        disperser: bool,
        /// The keystore to write; must not exist.
        #[arg(long, required_unless_present = "key_file", requires = "password_file")]
        keystore: Option<PathBuf>,
        /// File with the password; a trailing newline is not part of it.
        #[arg(long)]
        password_file: Option<PathBuf>,
        /// Write a disperser's key in hex to this file, which only its owner can read, instead of a keystore.
        #[arg(long, requires = "disperser", conflicts_with_all = ["keystore", "password_file"])]
        key_file: Option<PathBuf>,
        /// Derive the key (EIP-2333) from the seed in this file (hex, at least 32 bytes) instead of making a random one.
        #[arg(long, requires = "path", conflicts_with = "disperser")]
        seed_file: Option<PathBuf>,
        /// The derivation path, such as m/12381/60/0/0.
        #[arg(long, requires = "seed_file")]
        path: Option<String>,
    },
    /// Print the public key of a member's keystore; needs no password.
    ///
    /// Example: holdfast keys show --keystore m0.json
    Show {
        /// The keystore to read.
        #[arg(long)]
        keystore: PathBuf,
    },
    /// Print a proof of possession: with --account for the registry, without it for a committee file.
    ///
    /// Example: holdfast keys pop --keystore m0.json --password-file m0.password --chain-id 1 --registry ADDRESS --account ADDRESS
    Pop {
        /// The keystore to read.
        #[arg(long)]
        keystore: PathBuf,
        /// File with the password.
        #[arg(long)]
        password_file: PathBuf,
        #[command(flatten)]
        registration: RegistrationArgs,
    },
}

/// A new account's key.
#[derive(Serialize)]
struct NewAccount {
    address: String,
    file: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_possession: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key_eip2537: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof_of_possession_eip2537: Option<String>,
}

pub(crate) fn run(command: Keys, output: Output) -> anyhow::Result<()> {
    match command {
        Keys::New { disperser: true, keystore, password_file, key_file, .. } => {
            new_disperser(keystore, password_file, key_file, output)
        }
        Keys::New { keystore, password_file, seed_file, path, .. } => {
            let key = match (seed_file, path) {
                (Some(seed), Some(path)) => derive(&seed, &path)?,
                _ => SecretKey::generate(),
            };
            let (Some(keystore), Some(password_file)) = (keystore, password_file) else {
                return fail(Exit::Usage, "a member's key is kept in a keystore: give --keystore and --password-file");
            };
            write_keystore(&keystore, &key, &files::password(&password_file)?, Strength::Standard)?;
            print(output, &key.public_key().to_string(), None)
        }
        Keys::Show { keystore } => match read_keystore(&keystore)?.public_key() {
            Some(public_key) => print(output, &public_key.to_string(), None),
            None => fail(Exit::Usage, format!("{} names no public key of a Holdfast member", keystore.display())),
        },
        Keys::Pop { keystore, password_file, registration } => {
            let key = unlock(&keystore, &password_file)?;
            let registration = registration.get().unwrap_or(Registration::WITHOUT_L1);
            print(output, &key.public_key().to_string(), Some((&key, &registration)))
        }
    }
}

fn new_disperser(
    keystore: Option<PathBuf>,
    password_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    output: Output,
) -> anyhow::Result<()> {
    let key = DisperserKey::generate();
    let file = match (key_file, keystore, password_file) {
        (Some(file), ..) => {
            files::write_new_secret(&file, (hex::encode(key.to_bytes().as_ref()) + "\n").as_bytes())?;
            file
        }
        (None, Some(file), Some(password)) => {
            let json = Web3Keystore::encrypt(&key, &files::password(&password)?, Strength::Standard);
            files::write_new_secret(&file, json.as_bytes())?;
            file
        }
        _ => return fail(Exit::Usage, "give --key-file, or --keystore and --password-file"),
    };
    let made = NewAccount { address: key.address().to_string(), file };
    output.print(&made, |made| format!("address     {}\nwritten to  {}", made.address, made.file.display()))
}

/// Writes a key to a new keystore that only its owner can read.
pub(crate) fn write_keystore(path: &Path, key: &SecretKey, password: &str, strength: Strength) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(&Keystore::encrypt_with(key, password, strength))?;
    files::write_new_secret(path, json.as_bytes())
}

/// Opens a keystore with the password in a file.
pub(crate) fn unlock(keystore: &Path, password_file: &Path) -> anyhow::Result<SecretKey> {
    let password = files::password(password_file)?;
    match read_keystore(keystore)?.decrypt(&password) {
        Ok(key) => Ok(key),
        Err(error) => fail(Exit::Usage, format!("keystore {}: {error}", keystore.display())),
    }
}

pub(crate) fn read_keystore(path: &Path) -> anyhow::Result<Keystore> {
    match serde_json::from_slice(&files::read(path)?) {
        Ok(keystore) => Ok(keystore),
        Err(error) => fail(Exit::Usage, format!("{} is not an ERC-2335 keystore: {error}", path.display())),
    }
}

fn derive(seed_file: &Path, path: &str) -> anyhow::Result<SecretKey> {
    let text = files::read_text(seed_file)?;
    let seed = match hex::decode(text.trim().trim_start_matches("0x")) {
        Ok(seed) if seed.len() >= 32 => seed,
        Ok(seed) => {
            return fail(Exit::Usage, format!("seed of {} bytes, expected at least 32 (EIP-2333)", seed.len()));
        }
        Err(error) => return fail(Exit::Usage, format!("seed file {}: {error}", seed_file.display())),
    };
    let mut steps = path.split('/');
    if steps.next() != Some("m") {
        return fail(Exit::Usage, format!("derivation path {path:?}, expected the form m/12381/60/0/0 (EIP-2334)"));
    }
    let mut key = SecretKey::derive_master(&seed)?;
    for step in steps {
        let Ok(index) = step.parse::<u32>() else {
            return fail(Exit::Usage, format!("derivation path {path:?}: {step:?} is not a number below 2^32"));
        };
        key = key.derive_child(index);
    }
    Ok(key)
}

fn print(output: Output, public_key: &str, with_proof: Option<(&SecretKey, &Registration)>) -> anyhow::Result<()> {
    let proof = with_proof.map(|(key, registration)| key.prove_possession(registration));
    let key = Key {
        public_key: public_key.to_owned(),
        public_key_eip2537: with_proof.map(|(key, _)| format!("0x{}", hex::encode(key.public_key().to_eip2537()))),
        proof_of_possession: proof.as_ref().map(ToString::to_string),
        proof_of_possession_eip2537: proof.as_ref().map(|proof| format!("0x{}", hex::encode(proof.to_eip2537()))),
    };
    output.print(&key, |key| match &key.proof_of_possession {
        Some(proof) => format!("public key           {}\nproof of possession  {proof}", key.public_key),
        None => key.public_key.clone(),
    })
}
