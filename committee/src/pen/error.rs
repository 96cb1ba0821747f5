//! Why there is no signature.

use crate::workers::Unfinished;

/// Why there is no signature.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The signer is not well. Why is in the log and in what the operator sees.
    #[error("this member's signer does not sign now")]
    Away,
    /// The signer's rules do not allow it.
    #[error("this member's signer refuses: {0}")]
    Refused(String),
    /// Work did not finish.
    #[error(transparent)]
    Unfinished(#[from] Unfinished),
}
