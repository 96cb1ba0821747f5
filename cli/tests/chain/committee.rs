//! `holdfast committee`: from a plan to an epoch on L1.

mod cards;
mod epochs;
mod plan;
mod proposals;
mod refusals;
mod running;
pub(crate) mod safe;

use std::{fs, path::Path};

use holdfast_certificate::{DisperserKey, Keystore, SecretKey, keystore::Strength};
use holdfast_devchain::DEV_KEYS;
use tempfile::TempDir;

use crate::support::{Devnet, run};

/// The accounts of the development chain that govern a devnet's registry, and that a devnet of seven leaves alone.
const GOVERNANCE: [u8; 32] = DEV_KEYS[0];
const NEWCOMER: [u8; 32] = DEV_KEYS[8];

/// Where operators' keys and cards and what is made of them lie.
struct Desk {
    folder: TempDir,
}

/// A keystore and the file with its password.
struct Key {
    keystore: String,
    password: String,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn exists(&self, name: &str) -> bool {
        fs::exists(self.path(name)).unwrap()
    }

    /// Names of all files, in order.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A new key, written as `holdfast keys new` does, but so that it is opened quickly.
    fn quick_key(&self, name: &str) -> Key {
        let key =
            Key { keystore: self.path(&format!("{name}.key.json")), password: self.path(&format!("{name}.password")) };
        fs::write(&key.password, name).unwrap();
        let keystore = Keystore::encrypt_with(&SecretKey::generate(), name, Strength::Development);
        fs::write(&key.keystore, serde_json::to_vec(&keystore).unwrap()).unwrap();
        key
    }

    /// A new key, by `holdfast keys new`.
    fn key(&self, name: &str) -> Key {
        let key =
            Key { keystore: self.path(&format!("{name}.key.json")), password: self.path(&format!("{name}.password")) };
        fs::write(&key.password, format!("of {name}\n")).unwrap();
        run(&["keys", "new", "--keystore", &key.keystore, "--password-file", &key.password]).ok();
        key
    }

    /// The card of a key, by `holdfast committee card`.
    fn card(&self, name: &str, key: &Key, endpoint: &str, more: &[&str]) -> String {
        let card = self.path(&format!("{name}.card.json"));
        let operator = format!("Operator of {name}");
        let (keystore, password) = (key.keystore.as_str(), key.password.as_str());
        let arguments = [
            &["committee", "card", "--keystore", keystore, "--password-file", password],
            &["--endpoint", endpoint, "--operator", &operator, "-o", &card][..],
            more,
        ];
        run(&arguments.concat()).ok();
        card
    }

    /// Cards of a devnet's members, which name the accounts that registered the keys.
    fn cards_of(&self, devnet: &Devnet) -> Vec<String> {
        let members = devnet.state()["members"].as_array().unwrap().len();
        (0..members)
            .map(|slot| {
                let account = address(&DEV_KEYS[1 + slot]);
                self.card(
                    &format!("m{slot}"),
                    &key_of(devnet, slot),
                    &endpoint_of(devnet, slot),
                    &registered(devnet, &account).each_ref().map(String::as_str),
                )
            })
            .collect()
    }
}

/// A member's key in a devnet's folder.
fn key_of(devnet: &Devnet, slot: usize) -> Key {
    let file = |name: &str| devnet.dir().join(format!("m{slot}")).join(name).to_str().unwrap().to_owned();
    Key { keystore: file("keystore.json"), password: file("password") }
}

fn endpoint_of(devnet: &Devnet, slot: usize) -> String {
    format!("http://{}", devnet.state()["members"][slot]["listen"].as_str().unwrap())
}

/// The options of a card whose key an account registers on a devnet's L1.
fn registered(devnet: &Devnet, account: &str) -> [String; 6] {
    let l1 = &devnet.state()["l1"];
    let (chain_id, registry) = (l1["chainId"].to_string(), l1["registry"].as_str().unwrap());
    ["--account", account, "--chain-id", &chain_id, "--registry", registry].map(str::to_owned)
}

/// The address of a secp256k1 key.
fn address(key: &[u8; 32]) -> String {
    DisperserKey::from_bytes(key).unwrap().address().to_string()
}

/// `--rpc URL --registry ADDRESS`: all that the commands are told of a devnet's L1. No key is in reach.
pub(crate) fn l1(devnet: &Devnet) -> Vec<String> {
    let state = devnet.state();
    let url = format!("http://{}", state["l1"]["listen"].as_str().unwrap());
    let registry = state["l1"]["registry"].as_str().unwrap().to_owned();
    vec!["--rpc".to_owned(), url, "--registry".to_owned(), registry]
}

/// The arguments of one run, from borrowed and owned parts.
fn arguments(parts: &[&[&str]], owned: &[String]) -> Vec<String> {
    parts.concat().into_iter().map(str::to_owned).chain(owned.iter().cloned()).collect()
}

/// The public key on a card, as bytes.
fn public_key(card: impl AsRef<Path>) -> holdfast_certificate::PublicKey {
    let card: serde_json::Value = serde_json::from_slice(&fs::read(card).unwrap()).unwrap();
    card["publicKey"].as_str().unwrap().parse().unwrap()
}
