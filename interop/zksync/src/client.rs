//! The adapter.

use std::{fmt, time::Duration};

use anyhow::anyhow;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use zksync_da_client::{
    DataAvailabilityClient,
    types::{ClientType, DAError, DispatchResponse, FinalityResponse, InclusionData},
};

use crate::answers::{Certificate, Committee, Inclusion, Stored};

/// The most of a failure's text that is passed on, in characters.
const MOST_TEXT: usize = 500;

/// What the chain's validator is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Each batch's certificate: at once, for 150k gas.
    #[default]
    Certificate,
    /// That it is in a checkpoint: when the gateway has made one and L1 has it for good, for 44k gas. The gateway's settings say
    /// `publish.mode = "checkpoint"`.
    Checkpoint,
}

impl Proof {
    /// The byte that tells `PubdataValidator` which.
    fn kind(self) -> u8 {
        match self {
            Self::Certificate => 1,
            Self::Checkpoint => 2,
        }
    }
}

/// How a gateway is used.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What the chain's validator is shown.
    pub proof: Proof,
    /// How long one request may take.
    pub deadline: Duration,
    /// What this client calls itself: the server's list is closed and has no name for it, so that a chain's fork of the server puts
    /// its own here.
    pub client_type: fn() -> ClientType,
}

impl Default for Options {
    fn default() -> Self {
        Self { proof: Proof::Certificate, deadline: Duration::from_secs(60), client_type: || ClientType::ObjectStore }
    }
}

/// A gateway of Holdfast as a data-availability layer.
#[derive(Clone)]
pub struct Holdfast {
    http: Client,
    /// Without a slash at its end. It may hold credentials.
    url: String,
    options: Options,
    max_payload: usize,
}

impl fmt::Debug for Holdfast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holdfast").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Holdfast {
    /// A client of the gateway whose plain HTTP is at `url`, such as `https://user:password@gateway:7500`. Asks it for its limit.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL; or that the gateway cannot be asked.
    pub async fn connect(url: &str, options: Options) -> Result<Self, DAError> {
        let http = Client::builder().timeout(options.deadline).build().map_err(|error| fatal(error.into()))?;
        let mut this = Self { http, url: url.trim_end_matches('/').to_owned(), options, max_payload: 0 };
        let committee: Committee = this.get("/v1/committee").await?.parsed().await?;
        this.max_payload = committee.max_payload;
        Ok(this)
    }

    async fn get(&self, path: &str) -> Result<Answer, DAError> {
        send(self.http.get(format!("{}{path}", self.url))).await
    }
}

#[async_trait]
impl DataAvailabilityClient for Holdfast {
    /// Returns when the threshold of members has the pubdata on disk. The request's id is its keccak256.
    async fn dispatch_blob(&self, _batch_number: u32, data: Vec<u8>) -> Result<DispatchResponse, DAError> {
        let request = self.http.put(format!("{}/v1/blobs?by=payload", self.url)).body(data);
        let stored: Stored = send(request).await?.parsed().await?;
        Ok(stored.keccak256.into())
    }

    /// What was dispatched has its certificate already. `None`, and so asked again, while the committee or the gateway cannot say; an
    /// error, on which the dispatcher dispatches once more, when it is certainly not there.
    async fn ensure_finality(
        &self,
        dispatch_request_id: String,
        _dispatched_at: DateTime<Utc>,
    ) -> Result<Option<FinalityResponse>, DAError> {
        let certificate = self.get(&format!("/v1/blobs/{dispatch_request_id}/certificate")).await;
        let Some(certificate) = later(certificate)? else { return Ok(None) };
        let certificate: Certificate = certificate.parsed().await?;
        Ok(Some(FinalityResponse { blob_id: certificate.blob_id }))
    }

    async fn get_inclusion_data(&self, blob_id: &str) -> Result<Option<InclusionData>, DAError> {
        let Some(certificate) = later(self.get(&format!("/v1/blobs/{blob_id}/certificate")).await)? else {
            return Ok(None);
        };
        let certificate: Certificate = certificate.parsed().await?;
        let mut data = vec![self.options.proof.kind()];
        match self.options.proof {
            Proof::Certificate => data.extend(certificate.encoded().map_err(fatal)?),
            Proof::Checkpoint => {
                let Some(inclusion) = later(self.get(&format!("/v1/blobs/{blob_id}/inclusion")).await)? else {
                    return Ok(None);
                };
                let inclusion: Inclusion = inclusion.parsed().await?;
                if !inclusion.is_final {
                    return Ok(None);
                }
                data.extend(certificate.blob().map_err(fatal)?);
                data.extend(inclusion.encoded().map_err(fatal)?);
            }
        }
        Ok(Some(InclusionData { data }))
    }

    fn clone_boxed(&self) -> Box<dyn DataAvailabilityClient> {
        Box::new(self.clone())
    }

    fn blob_size_limit(&self) -> Option<usize> {
        Some(self.max_payload)
    }

    fn client_type(&self) -> ClientType {
        (self.options.client_type)()
    }

    /// Nothing is paid here: the account that pays for checkpoints is the gateway's.
    async fn balance(&self) -> Result<u64, DAError> {
        Ok(0)
    }
}

/// An answer of 200.
struct Answer(Response);

impl Answer {
    async fn parsed<T: DeserializeOwned>(self) -> Result<T, DAError> {
        self.0.json().await.map_err(|error| temporary(without_url(error)))
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, DAError> {
    let response = request.send().await.map_err(|error| temporary(without_url(error)))?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(Answer(response));
    }
    let text = response.text().await.unwrap_or_default();
    let error = anyhow!("the gateway answers {status}: {}", text.chars().take(MOST_TEXT).collect::<String>());
    // As the gateway's table has it: only these pass.
    let is_retriable = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
        || status == StatusCode::REQUEST_TIMEOUT;
    Err(DAError { error, is_retriable })
}

/// `None` for what may pass.
fn later(answer: Result<Answer, DAError>) -> Result<Option<Answer>, DAError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_retriable => Ok(None),
        Err(error) => Err(error),
    }
}

/// The URL may hold credentials.
fn without_url(error: reqwest::Error) -> anyhow::Error {
    error.without_url().into()
}

fn temporary(error: anyhow::Error) -> DAError {
    DAError { error, is_retriable: true }
}

fn fatal(error: anyhow::Error) -> DAError {
    DAError { error, is_retriable: false }
}
