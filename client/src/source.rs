//! What one member says: who it is, what it has signed.

use std::time::Duration;

use bytes::Bytes;
use holdfast_certificate::{Certificate, DisperserSignature, Namespace, PublicKey, Statement};
use holdfast_erasure::BlobId;
use holdfast_proto::v1;
use holdfast_registry::EpochRecord;
use tokio::time::{Instant, timeout_at};

use crate::{
    context::Context,
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    members::Member,
    status::{self, MemberInfo},
};

/// How long a member has for one answer.
const WAIT: Duration = Duration::from_secs(10);

/// The most statements on a page: more do not fit into the answer that is taken.
const PAGE: u32 = 256;

/// The longest token of a next page that is kept.
const MAX_TOKEN_BYTES: usize = 64;

/// One member of an epoch. What it says is not checked but for its form.
#[derive(Clone, Debug)]
pub struct Source {
    member: Member,
    key: PublicKey,
}

/// A page of what a member has signed, in the order of signing.
#[derive(Clone, Debug)]
pub struct Page {
    /// The statements, and whether the member knows a certificate.
    pub signed: Vec<(Statement, bool)>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Bytes>,
}

/// A statement that a member has signed, with what made it do so.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The statement.
    pub statement: Statement,
    /// The disperser's signature, not verified.
    pub disperser_signature: DisperserSignature,
    /// A certificate, decoded and not verified.
    pub certificate: Option<Certificate>,
}

/// The members of an epoch, in slot order.
pub(crate) fn sources(context: &Context, record: &EpochRecord) -> Vec<Source> {
    let members = context.members(record).into_iter();
    members.filter_map(|member| Some(Source { key: *record.committee.key(member.slot)?, member })).collect()
}

impl Source {
    /// The slot's key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The slot.
    #[must_use]
    pub fn slot(&self) -> u16 {
        self.member.slot
    }

    /// Where it is asked.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.member.peer.endpoint()
    }

    /// The member with what it failed in.
    pub(crate) fn failure(&self, reason: FailureReason) -> MemberFailure {
        self.member.failure(reason)
    }

    /// What the member says of itself.
    ///
    /// # Errors
    /// Why it said nothing that can be used; [`Fault::WrongKey`] where somebody else answers.
    pub async fn info(&self) -> Result<MemberInfo, FailureReason> {
        let asked = Instant::now();
        let answer = within(self.member.peer.get_info()).await?;
        Ok(status::info(answer, &self.key, asked.elapsed())?)
    }

    /// The page of what it has signed, in one namespace or in all, that begins at `at`; the first where that is empty.
    ///
    /// # Errors
    /// Why it said nothing that can be used.
    pub async fn list(&self, namespace: Option<&Namespace>, at: Bytes) -> Result<Page, FailureReason> {
        let namespace = namespace.map_or_else(Bytes::new, |it| Bytes::copy_from_slice(it.as_bytes()));
        let request = v1::ListBlobsRequest { namespace, page_size: PAGE, page_token: at };
        let answer = within(self.member.peer.list_blobs(&request)).await?;
        let too_large = |field, max, got| Fault::Malformed(holdfast_proto::Error::TooLarge { field, max, got });
        if answer.blobs.len() > PAGE as usize {
            return Err(too_large("blobs", PAGE.into(), answer.blobs.len() as u64).into());
        }
        let token = answer.next_page_token;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(too_large("next_page_token", MAX_TOKEN_BYTES as u64, token.len() as u64).into());
        }
        let mut signed = Vec::with_capacity(answer.blobs.len());
        for listed in &answer.blobs {
            let wire = listed.statement.as_ref().ok_or(Fault::Malformed(missing("statement")))?;
            signed.push((Statement::try_from(wire).map_err(Fault::Malformed)?, listed.certified));
        }
        Ok(Page { signed, next: Some(token).filter(|token| !token.is_empty()) })
    }

    /// What it has signed of one blob for one namespace, 100 statements at most. Certificates that do not decode are left out.
    ///
    /// # Errors
    /// Why it said nothing that can be used; [`FailureReason::NotStored`] where it does not know the blob.
    pub async fn signed(&self, id: &BlobId, namespace: &Namespace) -> Result<Vec<Signed>, FailureReason> {
        let answer = within(self.member.peer.get_blob_of(id, Some(namespace))).await?;
        let mut signed = Vec::with_capacity(answer.statements.len());
        for of in &answer.statements {
            let wire = of.statement.as_ref().ok_or(Fault::Malformed(missing("statement")))?;
            signed.push(Signed {
                statement: Statement::try_from(wire).map_err(Fault::Malformed)?,
                disperser_signature: holdfast_proto::disperser_signature(&of.disperser_signature)
                    .map_err(Fault::Malformed)?,
                certificate: Certificate::decode(&of.certificate).ok(),
            });
        }
        Ok(signed)
    }
}

fn missing(field: &'static str) -> holdfast_proto::Error {
    holdfast_proto::Error::Missing { field }
}

async fn within<T>(answer: impl Future<Output = Result<T, FailureReason>>) -> Result<T, FailureReason> {
    timeout_at(Instant::now() + WAIT, answer).await.unwrap_or(Err(FailureReason::NoAnswer { within: WAIT }))
}
