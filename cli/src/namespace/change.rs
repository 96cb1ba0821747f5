//! How a change of a namespace is carried out: a dry run, and then a transaction, or a file for a Safe.

use std::path::{Path, PathBuf};

use holdfast_certificate::{Address, Namespace};
use holdfast_contracts::RegistryCall;
use holdfast_l1::RegistryView;
use serde::Serialize;

use crate::{account::L1Account, exit::refused, safe, target::Replace};

/// What was sent or written down.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Changed {
    pub(super) namespace: String,
    pub(super) function: &'static str,
    pub(super) signer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transaction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) block: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gas_used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) safe_json: Option<PathBuf>,
    /// Unix seconds from which a retention holds; if sent now, where it is only written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effective_from: Option<u64>,
    pub(super) means: String,
}

impl Changed {
    /// Neither sent nor written down.
    pub(super) fn nothing(namespace: Namespace, signer: &Signer, call: &RegistryCall, means: String) -> Self {
        Self {
            namespace: namespace.to_string(),
            function: call.function(),
            signer: signer.address().to_string(),
            transaction: None,
            block: None,
            gas_used: None,
            safe_json: None,
            effective_from: None,
            means,
        }
    }
}

/// Who signs a change.
pub(super) enum Signer {
    /// An account whose key is here.
    Account(Box<L1Account>),
    /// A Safe, for which the change is written into a file.
    Safe { address: Address, file: PathBuf },
}

impl Signer {
    /// A Safe, unless its file exists and may not be replaced.
    pub(super) fn safe(address: Address, file: &Path, replace: Replace) -> anyhow::Result<Self> {
        replace.check(file)?;
        Ok(Self::Safe { address, file: file.to_owned() })
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::Account(account) => account.address(),
            Self::Safe { address, .. } => *address,
        }
    }
}

/// Sends a transaction, which is tried first, or tries it and writes it down.
pub(super) async fn carry_out(
    view: &RegistryView,
    namespace: Namespace,
    signer: &Signer,
    call: &RegistryCall,
    means: String,
) -> anyhow::Result<Changed> {
    let mut changed = Changed::nothing(namespace, signer, call, means);
    match signer {
        Signer::Safe { address, file } => {
            let tried = view.dry_run(*address, call).await;
            tried.map_err(|error| refused("the registry would refuse this", error))?;
            let name = format!("Holdfast: {}", call.function());
            safe::write(file, &view.domain(), *address, &name, &changed.means, call)?;
            changed.safe_json = Some(file.clone());
        }
        Signer::Account(account) => {
            let receipt = account.send(call).await?;
            changed.transaction = Some(receipt.tx_hash.to_string());
            (changed.block, changed.gas_used) = (Some(receipt.block), Some(receipt.gas_used));
        }
    }
    Ok(changed)
}

pub(super) fn text(changed: &Changed) -> String {
    let mut text = format!("namespace    {}\n{}: {}\n", changed.namespace, changed.function, changed.means);
    if let (Some(transaction), Some(block), Some(gas)) = (&changed.transaction, changed.block, changed.gas_used) {
        text += &format!("sent by      {}\ntransaction  {transaction} in block {block}, {gas} gas\n", changed.signer);
    }
    if let Some(path) = &changed.safe_json {
        text += &format!("to be signed by {}\nwritten to {}", changed.signer, path.display());
    }
    text
}
