//! Which database is open: one, none for a moment, or none any more.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Error, database::Database};

/// The database that readers read.
#[derive(Debug, Default)]
pub(super) struct Current(RwLock<State>);

#[derive(Debug, Default)]
enum State {
    Open(Arc<Database>),
    /// It is being opened anew.
    #[default]
    Between,
    Closed,
}

impl Current {
    /// The open database. Whoever has it keeps it open.
    pub(super) fn get(&self) -> Result<Arc<Database>, Error> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(database) => Ok(Arc::clone(database)),
            State::Between => Err(Error::Reopening),
            State::Closed => Err(Error::Closed),
        }
    }

    /// From now on this one is read, unless the store was closed meanwhile.
    pub(super) fn set(&self, database: Arc<Database>) {
        self.change(State::Open(database));
    }

    /// Nobody else begins to read it.
    pub(super) fn take(&self) {
        self.change(State::Between);
    }

    /// For good; gives the database that was open.
    pub(super) fn close(&self) -> Option<Arc<Database>> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Closed) {
            State::Open(database) => Some(database),
            State::Between | State::Closed => None,
        }
    }

    fn change(&self, to: State) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Closed) {
            *state = to;
        }
    }
}
