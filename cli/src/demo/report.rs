//! The demo's table: a row for each step that held.

use std::time::Instant;

use serde::Serialize;

use crate::output::{progress, table};

/// One step that held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    step: String,
    result: String,
    bytes: Option<u64>,
    milliseconds: f64,
}

/// Every step so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    #[serde(rename = "steps")]
    rows: Vec<Row>,
}

impl Report {
    /// Runs one step, says so, and notes how it went and how long it took.
    pub(super) async fn step<T>(
        &mut self,
        step: &str,
        run: impl Future<Output = anyhow::Result<(T, Outcome)>>,
    ) -> anyhow::Result<T> {
        progress(format!("\n{:>2}. {step}", self.rows.len() + 1));
        let started = Instant::now();
        let (value, outcome) = run.await.map_err(|error| error.context(format!("step failed: {step}")))?;
        let elapsed = outcome.milliseconds.unwrap_or_else(|| started.elapsed().as_secs_f64() * 1e3);
        progress(format!("    {}", outcome.result.replace('\n', "\n    ")));
        let result = outcome.result.lines().next().unwrap_or_default().to_owned();
        self.rows.push(Row { step: step.to_owned(), result, bytes: outcome.bytes, milliseconds: elapsed });
        Ok(value)
    }

    /// The table.
    pub(super) fn text(&self) -> String {
        let mut rows = vec![["#", "step", "bytes", "ms", "result"].map(str::to_owned).to_vec()];
        for (number, row) in self.rows.iter().enumerate() {
            rows.push(vec![
                (number + 1).to_string(),
                row.step.clone(),
                row.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
                format!("{:.1}", row.milliseconds),
                row.result.clone(),
            ]);
        }
        table(&rows)
    }
}

/// How a step went; only the first line goes into the table.
#[derive(Debug)]
pub(super) struct Outcome {
    result: String,
    bytes: Option<u64>,
    milliseconds: Option<f64>,
}

impl Outcome {
    pub(super) fn new(result: impl Into<String>) -> Self {
        Self { result: result.into(), bytes: None, milliseconds: None }
    }

    /// The size of what the step made or moved.
    pub(super) fn bytes(self, bytes: usize) -> Self {
        Self { bytes: Some(bytes as u64), ..self }
    }

    /// The part of the step worth timing, where it is not the whole.
    pub(super) fn since(self, started: Instant) -> Self {
        Self { milliseconds: Some(started.elapsed().as_secs_f64() * 1e3), ..self }
    }
}
