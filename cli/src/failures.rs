//! What members did not do, for people and for scripts.

use holdfast_client::{FailureReason, MemberFailure, MemberFault};
use serde::Serialize;

/// The code of what no honest member does.
const FAULT: &str = "FAULT";

/// One member's failure or fault as `--json` prints it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureRecord {
    slot: u16,
    endpoint: String,
    /// A word for scripts: the status that the member answered with, or what happened in place of an answer.
    code: String,
    text: String,
}

impl FailureRecord {
    /// Whether the member sent what no honest one with an intact disk sends.
    pub(crate) fn is_fault(&self) -> bool {
        self.code == FAULT
    }
}

impl From<&MemberFailure> for FailureRecord {
    fn from(failure: &MemberFailure) -> Self {
        Self {
            slot: failure.slot,
            endpoint: failure.endpoint.clone(),
            code: code(&failure.reason),
            text: failure.reason.to_string(),
        }
    }
}

impl From<&MemberFault> for FailureRecord {
    fn from(fault: &MemberFault) -> Self {
        Self {
            slot: fault.slot,
            endpoint: fault.endpoint.clone(),
            code: FAULT.to_owned(),
            text: fault.reason.to_string(),
        }
    }
}

/// Every failure as a record.
pub(crate) fn records<'a, T: 'a>(failures: &'a [T]) -> Vec<FailureRecord>
where
    FailureRecord: From<&'a T>,
{
    failures.iter().map(FailureRecord::from).collect()
}

fn code(reason: &FailureReason) -> String {
    match reason {
        FailureReason::NoAnswer { .. } => "NO_ANSWER",
        FailureReason::NotAwaited { .. } => "NOT_AWAITED",
        FailureReason::NotAsked => "NOT_ASKED",
        FailureReason::Unreachable { .. } => "UNREACHABLE",
        FailureReason::BadEndpoint { .. } => "BAD_ENDPOINT",
        FailureReason::NotStored => "NOT_STORED",
        FailureReason::Expired => "EXPIRED",
        FailureReason::Fault(_) => FAULT,
        FailureReason::WrongEpoch { .. } => "WRONG_EPOCH",
        FailureReason::Refused { code, .. } => return code.to_string(),
        _ => "OTHER",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn failure(slot: u16, reason: FailureReason) -> MemberFailure {
        MemberFailure { slot, endpoint: format!("http://m{slot}"), reason }
    }

    #[test]
    fn every_record_says_in_a_word_what_happened() {
        let silent = FailureReason::NoAnswer { within: Duration::from_secs(1) };
        let failures = [failure(0, silent), failure(4, FailureReason::NotStored)];
        let records = serde_json::to_value(records(&failures)).expect("JSON");
        assert_eq!((&records[0]["code"], &records[1]["slot"]), (&"NO_ANSWER".into(), &4.into()));
        assert_eq!((&records[1]["code"], &records[1]["text"]), (&"NOT_STORED".into(), &"never stored here".into()));
    }
}
