//! What happened, line by line: the same for the same seed, byte for byte.

use std::{cell::RefCell, fmt::Display, rc::Rc};

use crate::nature;

/// A log that all in a world write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Rc<RefCell<String>>);

impl Log {
    /// Writes down that `who` did or saw `what`.
    pub(crate) fn tell(&self, who: &str, what: impl Display) {
        let at = nature::elapsed().as_millis();
        let line = format!("{:>4}.{:03} {who:<7} {what}\n", at / 1000, at % 1000);
        self.0.borrow_mut().push_str(&line);
    }

    /// All of it.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        self.0.borrow().clone()
    }
}
