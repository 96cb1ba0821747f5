//! The disperser's signature, from whoever makes it.

use holdfast_certificate::{DisperserSignature, StatementDigest};
use tokio::time::{Instant, timeout_at};

use crate::{error::Error, signer::DisperserSigner};

/// Has a digest signed, and checks by whom.
pub(super) async fn sign(
    signer: &dyn DisperserSigner,
    digest: StatementDigest,
    deadline: Instant,
) -> Result<DisperserSignature, Error> {
    let failed = |reason: String| Error::Signer { disperser: signer.address(), reason };
    let signature = timeout_at(deadline, signer.sign(&digest))
        .await
        .map_err(|_| failed("it did not answer in time".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    let reason = match signature.recover(&digest) {
        Ok(by) if by == signer.address() => return Ok(signature),
        Ok(by) => format!("it is by {by}, expected one by {}", signer.address()),
        Err(error) => error.to_string(),
    };
    Err(Error::Invalid { what: "disperser's signature", reason })
}
