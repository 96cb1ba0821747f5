//! Accounts and their storage at one block, cheap to keep for many blocks.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use alloy::primitives::{Address, B256, U256};
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    state::{AccountInfo, EvmState},
};

/// The state after one block.
///
/// A clone shares everything; a change copies the table of accounts and the accounts that it touches. So an empty
/// block costs one pointer, and any kept block can be called.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    accounts: Arc<HashMap<Address, Arc<Account>>>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    info: AccountInfo,
    storage: HashMap<U256, U256>,
}

impl State {
    /// A state in which each of `accounts` owns `balance` wei.
    pub(super) fn genesis(accounts: impl Iterator<Item = Address>, balance: U256) -> Self {
        let fund = |address| {
            let info = AccountInfo { balance, ..AccountInfo::default() };
            (address, Arc::new(Account { info, storage: HashMap::new() }))
        };
        Self { accounts: Arc::new(accounts.map(fund).collect()) }
    }

    pub(super) fn balance(&self, address: Address) -> U256 {
        self.accounts.get(&address).map_or(U256::ZERO, |account| account.info.balance)
    }

    pub(super) fn nonce(&self, address: Address) -> u64 {
        self.accounts.get(&address).map_or(0, |account| account.info.nonce)
    }

    pub(super) fn code(&self, address: Address) -> Option<&Bytecode> {
        self.accounts.get(&address).and_then(|account| account.info.code.as_ref())
    }

    pub(super) fn storage(&self, address: Address, slot: U256) -> U256 {
        self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default()
    }

    /// The state after a transaction's changes.
    pub(super) fn with_changes(&self, changes: EvmState) -> Self {
        let mut accounts = HashMap::clone(&self.accounts);
        for (address, change) in changes {
            if !change.is_touched() {
                continue;
            }
            // EIP-161: an account that is touched and empty does not exist.
            if change.is_selfdestructed() || change.is_empty() {
                accounts.remove(&address);
                continue;
            }
            let account = Arc::make_mut(accounts.entry(address).or_default());
            if change.is_created() {
                account.storage.clear();
            }
            for (slot, value) in change.storage {
                if value.present_value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, value.present_value);
                }
            }
            // The interpreter drops the code of accounts that it did not run; it cannot have changed then.
            let code = change.info.code.clone().or_else(|| account.info.code.take());
            account.info = AccountInfo { code, ..change.info };
        }
        Self { accounts: Arc::new(accounts) }
    }
}

/// A state together with the hashes of the blocks before it, which is what the interpreter reads.
#[derive(Debug)]
pub(super) struct View {
    pub(super) state: State,
    /// The newest last: up to 256, as many as `BLOCKHASH` may ask for.
    pub(super) recent_hashes: Vec<(u64, B256)>,
}

impl DatabaseRef for View {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.state.accounts.get(&address).map(|account| account.info.clone()))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        // Accounts carry their code, so this is asked for code that stands nowhere, if at all.
        let mut accounts = self.state.accounts.values();
        let holder = accounts.find(|account| account.info.code_hash == code_hash);
        Ok(holder.and_then(|account| account.info.code.clone()).unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.state.storage(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        let found = self.recent_hashes.iter().rev().find(|(block, _)| *block == number);
        Ok(found.map_or(B256::ZERO, |(_, hash)| *hash))
    }
}
