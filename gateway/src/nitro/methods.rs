//! The methods of `daprovider`.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    certificate,
    errors::RpcError,
    opening,
    parameters::Parameters,
    streams::{Start, Streams},
};
use crate::{app::App, budget::Held, clock::unix_now, cpu::off_thread, failure::Failure, metrics::Direction};

/// The preimage type of a DA provider's certificates (`DACertificatePreimageType`).
const PREIMAGE_TYPE: &str = "3";
/// The longest retention that a `timeout` can ask for, 10 years; members have their own policy.
const MAX_RETENTION: Duration = Duration::from_secs(3650 * 24 * 3600);

/// What the methods work with.
#[derive(Debug)]
pub(super) struct Provider {
    app: App,
    streams: Arc<Streams>,
}

/// What a read gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Payload,
    Preimages,
    Both,
}

impl Provider {
    pub(super) fn new(app: App) -> Self {
        Self { app, streams: Arc::default() }
    }
}

/// Calls a method; with its name for the metrics. `held` is what the call's own memory is paid with.
pub(super) async fn call(
    provider: &Provider,
    method: &str,
    parameters: Parameters,
    may_write: Result<(), Failure>,
    held: Held,
) -> (&'static str, Result<Value, RpcError>) {
    let Some(name) = method.strip_prefix("daprovider_") else { return ("call", Err(RpcError::unknown(method))) };
    let write = || may_write.map_err(|failure| RpcError::failed(failure.to_string()));
    match name {
        "getSupportedHeaderBytes" => ("getSupportedHeaderBytes", header_bytes(&parameters)),
        "getMaxMessageSize" => ("getMaxMessageSize", provider.max_message(&parameters).await),
        "recoverPayload" => ("recoverPayload", provider.recover(parameters, Want::Payload).await),
        "collectPreimages" => ("collectPreimages", provider.recover(parameters, Want::Preimages).await),
        "recoverPayloadAndPreimages" => ("recoverPayloadAndPreimages", provider.recover(parameters, Want::Both).await),
        "generateReadPreimageProof" => ("generateReadPreimageProof", provider.read_proof(parameters).await),
        "generateCertificateValidityProof" => {
            ("generateCertificateValidityProof", provider.validity_proof(parameters).await)
        }
        "store" => (
            "store",
            match write() {
                Ok(()) => provider.store(parameters, held).await,
                Err(error) => Err(error),
            },
        ),
        "startChunkedStore" => (
            "startChunkedStore",
            match write() {
                Ok(()) => provider.start(parameters, held).await,
                Err(error) => Err(error),
            },
        ),
        "sendChunk" => ("sendChunk", write().and_then(|()| provider.chunk(parameters))),
        "commitChunkedStore" => (
            "commitChunkedStore",
            match write() {
                Ok(()) => provider.commit(parameters).await,
                Err(error) => Err(error),
            },
        ),
        _ => ("call", Err(RpcError::unknown(method))),
    }
}

fn header_bytes(parameters: &Parameters) -> Result<Value, RpcError> {
    parameters.end()?;
    Ok(json!({ "headerBytes": format!("0x{:02x}", certificate::HEADER) }))
}

impl Provider {
    async fn max_message(&self, parameters: &Parameters) -> Result<Value, RpcError> {
        parameters.end()?;
        Ok(json!({ "maxSize": self.limit().await? }))
    }

    async fn recover(&self, mut parameters: Parameters, want: Want) -> Result<Value, RpcError> {
        parameters.number("batchNum")?;
        // The poster reads back before there is a block: any hash will do.
        parameters.hash("batchBlockHash")?;
        let message = parameters.bytes("sequencerMsg")?;
        parameters.end()?;
        let bytes = certificate::of_message(&message)?;
        let payload = self.payload(bytes).await?;
        let encoded = STANDARD.encode(&payload);
        self.app.metrics.passed(Direction::Out, payload.len());
        let preimages = || {
            let hash = certificate::hash(bytes).to_string();
            json!({ PREIMAGE_TYPE: { hash: encoded } })
        };
        Ok(match want {
            Want::Payload => json!({ "Payload": encoded }),
            Want::Preimages => json!({ "Preimages": preimages() }),
            Want::Both => json!({ "Payload": encoded, "Preimages": preimages() }),
        })
    }

    async fn store(&self, mut parameters: Parameters, held: Held) -> Result<Value, RpcError> {
        let message = parameters.bytes("message")?;
        let timeout = parameters.number("timeout")?;
        parameters.end()?;
        let limit = self.limit().await?;
        if message.len() > limit {
            return Err(RpcError::of_store(&Failure::TooLarge { limit: limit as u64 }));
        }
        self.stored(message.into(), timeout, held).await
    }

    async fn start(&self, mut parameters: Parameters, mut held: Held) -> Result<Value, RpcError> {
        let start = Start {
            timestamp: parameters.number("timestamp")?,
            chunks: parameters.number("nChunks")?,
            chunk_size: parameters.number("chunkSize")?,
            total_size: parameters.number("totalSize")?,
            timeout: parameters.number("timeout")?,
        };
        let signature = parameters.bytes("sig")?;
        parameters.end()?;
        let limit = self.limit().await?;
        Streams::check(&start, &signature, limit)?;
        let bytes = usize::try_from(start.total_size).map_err(|_| RpcError::failed("too large"))?;
        // All of it at once: of two half-taken streams neither could go on.
        self.app.budget.cover(&mut held, bytes).await.map_err(|failure| RpcError::of_store(&failure))?;
        let id = self.streams.open(start, &signature, held)?;
        tokio::spawn(Streams::expire(Arc::downgrade(&self.streams), id));
        Ok(json!({ "BatchId": format!("0x{id:x}") }))
    }

    fn chunk(&self, mut parameters: Parameters) -> Result<Value, RpcError> {
        let (id, number) = (parameters.number("messageId")?, parameters.number("chunkId")?);
        let (chunk, signature) = (parameters.bytes("chunk")?, parameters.bytes("sig")?);
        parameters.end()?;
        self.streams.chunk(id, number, chunk, &signature)?;
        Ok(Value::Null)
    }

    async fn commit(&self, mut parameters: Parameters) -> Result<Value, RpcError> {
        let id = parameters.number("messageId")?;
        let signature = parameters.bytes("sig")?;
        parameters.end()?;
        let (payload, held, timeout) = self.streams.commit(id, &signature)?;
        self.stored(payload, timeout, held).await
    }

    /// Opens 32 bytes of a payload for a fraud proof.
    async fn read_proof(&self, mut parameters: Parameters) -> Result<Value, RpcError> {
        // Nodes before v3.10 give the certificate's hash first.
        if parameters.left() > 2 {
            parameters.hash("certHash")?;
        }
        let offset = parameters.number("offset")?;
        let bytes = parameters.bytes("certificate")?;
        parameters.end()?;
        let opened = async {
            let verified = certificate::verify(&self.app, &bytes).await?;
            let payload = self.app.reads.get_certified(verified).await?;
            off_thread(move || opening::open(&payload.blob, payload.bytes, offset)).await?
        };
        let proof = opened.await.map_err(|failure| RpcError::of_read(&failure))?;
        Ok(json!({ "proof": format!("0x{}", hex::encode(proof)) }))
    }

    /// Whether a certificate is valid, as the contract is to be told: 1 or 0, and for a bad one no error.
    async fn validity_proof(&self, mut parameters: Parameters) -> Result<Value, RpcError> {
        let bytes = parameters.bytes("certificate")?;
        parameters.end()?;
        match certificate::verify(&self.app, &bytes).await {
            Ok(_) => Ok(json!({ "proof": "0x01" })),
            Err(Failure::Certificate(_)) => Ok(json!({ "proof": "0x00" })),
            Err(failure) => Err(RpcError::of_read(&failure)),
        }
    }

    async fn payload(&self, bytes: &[u8]) -> Result<Bytes, RpcError> {
        let read = async { self.app.reads.get_certified(certificate::verify(&self.app, bytes).await?).await };
        read.await.map(|payload| payload.bytes).map_err(|failure| RpcError::of_read(&failure))
    }

    /// Stores a batch. It is kept for the retention of the settings, or until `timeout` where that is later.
    async fn stored(&self, payload: Bytes, timeout: u64, held: Held) -> Result<Value, RpcError> {
        let wanted = Duration::from_secs(timeout.saturating_sub(unix_now()));
        let retention = self.app.puts.retention().max(wanted.min(MAX_RETENTION));
        let dispersal = holdfast_erasure::Dispersal::ByPayload;
        let stored = self.app.puts.put(payload, dispersal, retention, held).await;
        let stored = stored.map_err(|failure| RpcError::of_store(&failure))?;
        let bytes = certificate::encode(&stored.certificate);
        Ok(json!({ "serialized-da-cert": format!("0x{}", hex::encode(bytes)) }))
    }

    async fn limit(&self) -> Result<usize, RpcError> {
        let limit = self.app.puts.max_payload().await.map_err(|failure| RpcError::of_store(&failure))?;
        Ok(self.app.config.nitro.max_message.map_or(limit, |most| limit.min(most as usize)))
    }
}
