//! How a call ends, for the metrics and for the count of what is shed.

use std::{sync::Arc, time::Instant};

use http::HeaderMap;
use tonic::{Code, Status};

use super::shared::Shared;

/// A call whose end is to be told.
#[derive(Debug)]
pub(super) struct Outcome {
    shared: Arc<Shared>,
    path: &'static str,
    since: Instant,
    ended: bool,
}

impl Outcome {
    pub(super) fn begin(shared: Arc<Shared>, path: &'static str) -> Self {
        Self { shared, path, since: Instant::now(), ended: false }
    }

    /// What the headers or trailers say, if they have a status.
    pub(super) fn finish(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.end(status.code(), status.message());
        }
    }

    pub(super) fn end(&mut self, code: Code, message: &str) {
        if !std::mem::replace(&mut self.ended, true) {
            self.shared.shed.count(self.path, code, message);
            self.shared.metrics.call(self.path, code, self.since.elapsed());
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        // The peer has gone away.
        self.end(Code::Cancelled, "");
    }
}
