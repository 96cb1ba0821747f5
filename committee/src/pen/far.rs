//! A signer in another process: asked, timed, and not believed.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use holdfast_certificate::{
    Attestation, Checkpoint, Domain, Endorsement, PublicKey, Signature, Statement, StatementDigest,
};
use holdfast_erasure::BlobId;
use holdfast_proto::signer::v1::{self, signer_client::SignerClient};
use holdfast_transport::{Fair, Pin, Trust, settings};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use super::error::Error;
use crate::{
    error::Error as StartError,
    signer::{Settings, token},
    workers::Workers,
};

/// Who has answered with another key, or with a signature that is none, is not called well by its next word alone.
const DISTRUST: Duration = Duration::from_secs(60);
/// Signatures that are asked for at once; further ones wait within their time.
const AT_ONCE: usize = 128;
/// Signatures a second that reads may ask for.
const READS: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// How often in a minute it is logged that the signer has too much to do.
const BUSY: NonZeroU32 = NonZeroU32::MIN;
/// The longest answer.
const ANSWER_BYTES: usize = 1 << 10;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// Of what it says, so much is kept.
const WORDS: usize = 256;

/// A signer elsewhere.
#[derive(Debug)]
pub(crate) struct Far {
    client: SignerClient<Fair<Channel>>,
    token: Option<MetadataValue<Ascii>>,
    public_key: PublicKey,
    domain: Domain,
    deadline: Duration,
    turns: Semaphore,
    reads: DefaultDirectRateLimiter,
    told: DefaultDirectRateLimiter,
    trouble: Mutex<Option<Trouble>>,
}

/// Why it is not well.
#[derive(Clone, Debug)]
struct Trouble {
    text: String,
    /// Not before then is it believed to be well.
    until: Option<Instant>,
}

impl Far {
    /// The signer that the settings name.
    pub(super) fn new(settings: &Settings, domain: Domain) -> Result<Self, StartError> {
        let failed = |reason: String| StartError::Server(format!("signer {}: {reason}", settings.url));
        let channel = match settings.url.strip_prefix("unix:") {
            Some(_) => {
                let endpoint = Endpoint::from_shared(settings.url.clone()).map_err(|e| failed(e.to_string()))?;
                settings::channel(endpoint, CONNECT).connect_lazy()
            }
            None => holdfast_transport::endpoint(&settings.url, &Trust::pinned(settings.tls_pin), CONNECT)
                .map_err(|e| failed(e.to_string()))?
                .connect_lazy(),
        };
        let token = settings.token_file.as_deref().map(token).transpose()?;
        let token = token.map(|token| format!("Bearer {token}").parse().map(sensitive)).transpose();
        Ok(Self {
            client: SignerClient::new(Fair::new(channel)).max_decoding_message_size(ANSWER_BYTES),
            token: token.map_err(|_| failed("its token cannot be sent in a header".into()))?,
            public_key: settings.public_key,
            domain,
            deadline: settings.deadline,
            turns: Semaphore::new(AT_ONCE),
            reads: RateLimiter::direct(Quota::per_second(READS)),
            told: RateLimiter::direct(Quota::per_minute(BUSY)),
            trouble: Mutex::new(Some(Trouble { text: "the signer has not answered yet".into(), until: None })),
        })
    }

    /// Why nothing would be signed, where that is known. It may name hosts: it is for the operator.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|trouble| trouble.text.clone())
    }

    /// Whether it is well, and reads have not had their share of this second.
    pub(super) fn is_free_for_reads(&self) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_none() && self.reads.check().is_ok()
    }

    /// Asks whether it is there, and holds the key that it should.
    pub(crate) async fn probe(&self) {
        let asked = timeout(self.deadline, self.client.clone().get_key(self.request(v1::GetKeyRequest {}))).await;
        match asked {
            Err(_) => self.troubled(format!("does not answer within {:?}", self.deadline), false),
            Ok(Err(status)) => self.troubled(words(&status), false),
            Ok(Ok(answer)) => {
                let v1::GetKeyResponse { public_key, chain_id, registry } = answer.into_inner();
                if public_key != self.public_key.to_bytes().as_slice() {
                    self.troubled("holds another key than this member's".into(), true);
                } else if chain_id != self.domain.chain_id || registry != self.domain.registry.as_bytes().as_slice() {
                    self.troubled("signs for another chain or registry".into(), true);
                } else {
                    self.well();
                }
            }
        }
    }

    pub(super) async fn statement(
        &self,
        (statement, digest): (&Statement, StatementDigest),
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let registry = self.registry();
        let statement = Some(statement.into());
        let request = v1::SignStatementRequest { chain_id: self.domain.chain_id, registry, statement };
        let mut client = self.client.clone();
        let asked = async { Ok(client.sign_statement(self.request(request)).await?.into_inner().signature) };
        self.checked(asked, digest, slot, workers).await
    }

    pub(super) async fn checkpoint(
        &self,
        (checkpoint, ids, digest): (&Checkpoint, &[BlobId], StatementDigest),
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let request = v1::SignCheckpointRequest {
            chain_id: self.domain.chain_id,
            registry: self.registry(),
            namespace: Bytes::copy_from_slice(checkpoint.namespace.as_bytes()),
            epoch: checkpoint.epoch,
            blob_ids: holdfast_proto::blob_ids_to_bytes(ids),
            retain_until: checkpoint.retain_until,
        };
        let mut client = self.client.clone();
        let asked = async { Ok(client.sign_checkpoint(self.request(request)).await?.into_inner().signature) };
        self.checked(asked, digest, slot, workers).await
    }

    /// Has a TLS key endorsed, and verifies the endorsement.
    pub(super) async fn endorsement(
        &self,
        tls_key: &Pin,
        (not_before, not_after): (u64, u64),
    ) -> Result<Endorsement, String> {
        let request = v1::SignEndorsementRequest {
            chain_id: self.domain.chain_id,
            registry: self.registry(),
            tls_key: Bytes::copy_from_slice(tls_key),
            not_before,
            not_after,
        };
        let mut client = self.client.clone();
        let asked = timeout(self.deadline, client.sign_endorsement(self.request(request))).await;
        let answer = asked.map_err(|_| format!("does not answer within {:?}", self.deadline))?;
        let answer = answer.map_err(|status| words(&status))?.into_inner();
        let endorsement = Endorsement::from_bytes(&answer.endorsement).map_err(|error| error.to_string())?;
        let at = not_after.saturating_sub(1);
        endorsement.verify(&self.public_key, &self.domain, tls_key, at).map_err(|error| error.to_string())?;
        if endorsement.not_after() != not_after {
            return Err(format!("endorsed until {}, expected {not_after}", endorsement.not_after()));
        }
        Ok(endorsement)
    }

    /// Waits for the signature, for as long as one may take, and verifies it.
    async fn checked(
        &self,
        asked: impl Future<Output = Result<Bytes, Status>>,
        digest: StatementDigest,
        slot: u16,
        workers: &Workers,
    ) -> Result<Attestation, Error> {
        let in_turn = async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            asked.await
        };
        let bytes = match timeout(self.deadline, in_turn).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(status)) => return Err(self.failed(&status)),
            Err(_) => {
                self.troubled(format!("does not sign within {:?}", self.deadline), false);
                return Err(Error::Away);
            }
        };
        let public_key = self.public_key;
        let verified = workers.cpu(move || {
            let signature = Signature::from_bytes(&bytes).ok()?;
            let attestation = Attestation { slot, signature };
            attestation.is_by(&public_key, &digest).then_some(attestation)
        });
        match verified.await? {
            Some(attestation) => {
                self.well();
                Ok(attestation)
            }
            None => {
                self.troubled("answered with what is no signature of this member's over the statement".into(), true);
                Err(Error::Away)
            }
        }
    }

    /// A refusal by its rules says nothing about whether it is well.
    fn failed(&self, status: &Status) -> Error {
        match status.code() {
            Code::InvalidArgument | Code::PermissionDenied => Error::Refused(cut(status.message())),
            // It is well, and has too much to do.
            Code::ResourceExhausted => {
                if self.told.check().is_ok() {
                    tracing::warn!(said = cut(status.message()), "signer.busy");
                }
                Error::Away
            }
            _ => {
                self.troubled(words(status), false);
                Error::Away
            }
        }
    }

    fn well(&self) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let distrusted = trouble.as_ref().and_then(|trouble| trouble.until).is_some_and(|until| Instant::now() < until);
        if trouble.is_some() && !distrusted {
            *trouble = None;
            tracing::info!("signer.well");
        }
    }

    fn troubled(&self, text: String, distrust: bool) {
        let until = distrust.then(|| Instant::now() + DISTRUST);
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let before = trouble.replace(Trouble { text: format!("the signer {text}"), until });
        // The same is told once.
        if let Some(now) = trouble.as_mut() {
            if before.as_ref().is_none_or(|before| before.text != now.text) {
                tracing::error!(why = now.text, "signer.trouble");
            }
            now.until = now.until.max(before.and_then(|before| before.until));
        }
    }

    fn registry(&self) -> Bytes {
        Bytes::copy_from_slice(self.domain.registry.as_bytes())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }
}

fn sensitive(mut value: MetadataValue<Ascii>) -> MetadataValue<Ascii> {
    value.set_sensitive(true);
    value
}

fn words(status: &Status) -> String {
    format!("does not sign: {:?}: {}", status.code(), cut(status.message()))
}

/// What it says, without what would steer a terminal, and not much of it.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}

#[cfg(test)]
mod tests;
