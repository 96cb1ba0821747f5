//! The L1 account that signs here, as the configuration or the command line names it.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use holdfast_certificate::{Address, DisperserKey, keystore};
use holdfast_contracts::RegistryCall;
use holdfast_l1::{Account, PublishReceipt, Publisher, PublisherOptions, RpcUrls};

use crate::{
    exit::{Exit, fail, refused},
    files,
};

/// Which account signs, on the command line.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Account")]
pub(crate) struct AccountArgs {
    /// File with the account's secp256k1 key: 32 bytes in hex, or a keystore as geth and Foundry write; the configured
    /// l1_key_file if absent.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File with that keystore's password.
    #[arg(long, value_name = "FILE", requires = "key_file")]
    key_password_file: Option<PathBuf>,
}

/// The files of an account.
#[derive(Debug, Clone)]
pub(crate) struct AccountFiles {
    pub(crate) key: PathBuf,
    pub(crate) password: Option<PathBuf>,
}

impl AccountArgs {
    pub(crate) fn files(&self) -> Option<AccountFiles> {
        self.key_file.clone().map(|key| AccountFiles { key, password: self.key_password_file.clone() })
    }
}

impl AccountFiles {
    /// The account of a key in hex, or in a keystore.
    pub(crate) fn open(&self) -> anyhow::Result<Account> {
        let account = Account::from_key(&*self.secret()?);
        account.with_context(|| format!("account key {}", self.key.display()))
    }

    /// The same key for statements instead of transactions.
    pub(crate) fn disperser(&self) -> anyhow::Result<DisperserKey> {
        match DisperserKey::from_bytes(&*self.secret()?) {
            Ok(key) => Ok(key),
            Err(error) => fail(Exit::Usage, format!("disperser key {}: {error}", self.key.display())),
        }
    }

    fn secret(&self) -> anyhow::Result<impl Deref<Target = [u8; 32]>> {
        let text = files::read_text(&self.key)?;
        let password = self.password.as_deref().map(files::password).transpose()?;
        match keystore::secret_of(&text, password.as_deref()) {
            Ok(secret) => Ok(secret),
            Err(error) => fail(Exit::Usage, format!("{}: {error}", files::name(&self.key))),
        }
    }
}

/// An account, and where it writes.
#[derive(Debug)]
pub(crate) struct L1Account {
    pub(crate) rpc_url: RpcUrls,
    pub(crate) registry: Address,
    pub(crate) account: Account,
    pub(crate) journal: PathBuf,
}

impl L1Account {
    pub(crate) fn address(&self) -> Address {
        self.account.address()
    }

    /// A publisher with the account's journal.
    pub(crate) async fn publisher(&self) -> anyhow::Result<Publisher> {
        let options = options(&self.journal);
        let node = self.rpc_url.first();
        let publisher = Publisher::connect_account(node, self.registry, self.account.clone(), options).await;
        match publisher {
            Err(holdfast_l1::publisher::Error::Journal { path, reason }) => fail(
                Exit::Usage,
                format!(
                    "what is sent to L1 is kept in a journal, and {} cannot be written: {reason}; set l1_journal to a \
                     folder that can (HOLDFAST_L1_JOURNAL)",
                    path.display()
                ),
            ),
            publisher => publisher.with_context(|| format!("L1 at {}", RpcUrls::from(node))),
        }
    }

    /// Sends one call; a refusal in the dry run or in the block has the exit code of a refusal.
    pub(crate) async fn send(&self, call: &RegistryCall) -> anyhow::Result<PublishReceipt> {
        self.publisher().await?.send(call).await.map_err(|error| refused("the registry refuses this", error))
    }
}

/// How this program sends: every job is in the journal before it leaves, so that a command that was killed and is given
/// again goes on with it.
pub(crate) fn options(journal: &Path) -> PublisherOptions {
    PublisherOptions { journal: Some(journal.to_owned()), ..PublisherOptions::default() }
}
