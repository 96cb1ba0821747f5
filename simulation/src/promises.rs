//! What was promised to the rollup: what the oracles hold members to.

use bytes::Bytes;
use holdfast_certificate::{Statement, StatementDigest, VerifiedCertificate};

/// A certificate that was returned.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    pub(crate) certificate: VerifiedCertificate,
    pub(crate) payload: Bytes,
}

/// A signature that has left a member.
#[derive(Clone, Debug)]
pub(crate) struct Attested {
    /// The member's number.
    pub(crate) member: u16,
    pub(crate) statement: Statement,
    pub(crate) digest: StatementDigest,
    /// It is in a certificate, so that others hold parts of the blob too.
    pub(crate) certified: bool,
    /// The disk that it was made on is gone, or rotten, and nobody else need have what was on it.
    pub(crate) excused: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) certified: Vec<Certified>,
    pub(crate) attested: Vec<Attested>,
}

impl Promises {
    /// A member's data was harmed: what nobody else may have need not be there any more.
    pub(crate) fn excuse(&mut self, member: u16) {
        for attested in self.attested.iter_mut().filter(|attested| attested.member == member && !attested.certified) {
            attested.excused = true;
        }
    }
}
