//! What a signer signs: pure functions of the request, the settings and the time.

use holdfast_certificate::{Address, Checkpoint, Domain, HOUR, Namespace, Statement, hour_at_or_after};
use holdfast_erasure::BlobId;
use holdfast_proto::{signer::v1, v1 as wire};
use tonic::Status;

use super::Config;

/// The statement that is to be signed.
pub(super) fn statement(request: &v1::SignStatementRequest, config: &Config, now: u64) -> Result<Statement, Status> {
    domain(request.chain_id, &request.registry, config)?;
    let statement = request.statement.as_ref().ok_or_else(|| Status::invalid_argument("statement is missing"))?;
    let statement = parsed(statement)?;
    let parameters = statement.blob.parameters().map_err(|error| Status::invalid_argument(error.to_string()))?;
    if u64::from(statement.blob.payload_length) == 0 || parameters.total_shards() == 0 {
        return Err(Status::invalid_argument("a blob without bytes"));
    }
    let by_payload = statement.blob.is_by_payload();
    if by_payload != (statement.whole_until > 0) || statement.whole_until > statement.retain_until {
        return Err(Status::invalid_argument("whole_until does not go with payload_digest and retain_until"));
    }
    namespace(&statement.namespace, config)?;
    time("retain_until", statement.retain_until, now, config.max_retention.as_secs())?;
    if by_payload {
        // What is repaired late is not kept whole any more, and signed as it was promised.
        grid("whole_until", statement.whole_until)?;
        within("whole_until", statement.whole_until, now, config.max_whole.as_secs())?;
    }
    Ok(statement)
}

/// A checkpoint that may be signed, before its tree is built.
#[derive(Debug)]
pub(super) struct Allowed {
    namespace: Namespace,
    epoch: u64,
    ids: Vec<BlobId>,
    retain_until: u64,
}

impl Allowed {
    /// Builds the tree: 8191 hashes for 4096 ids.
    pub(super) fn build(&self) -> Result<Checkpoint, holdfast_certificate::Error> {
        Checkpoint::over(self.namespace, self.epoch, &self.ids, self.retain_until)
    }
}

/// What a checkpoint that is to be signed is over.
pub(super) fn checkpoint(request: &v1::SignCheckpointRequest, config: &Config, now: u64) -> Result<Allowed, Status> {
    let invalid = |error: &dyn std::error::Error| Status::invalid_argument(error.to_string());
    domain(request.chain_id, &request.registry, config)?;
    let of = holdfast_proto::namespace(&request.namespace).map_err(|error| invalid(&error))?;
    let ids = holdfast_proto::blob_ids(&request.blob_ids).map_err(|error| invalid(&error))?;
    Checkpoint::check_parts(&ids, request.retain_until).map_err(|error| invalid(&error))?;
    namespace(&of, config)?;
    time("retain_until", request.retain_until, now, config.max_retention.as_secs())?;
    Ok(Allowed { namespace: of, epoch: request.epoch, ids, retain_until: request.retain_until })
}

/// Which TLS key is to be endorsed, from when until when.
pub(super) fn endorsement(
    request: &v1::SignEndorsementRequest,
    config: &Config,
    now: u64,
) -> Result<([u8; 32], u64, u64), Status> {
    domain(request.chain_id, &request.registry, config)?;
    let tls_key: [u8; 32] =
        request.tls_key[..].try_into().map_err(|_| Status::invalid_argument("tls_key must have 32 bytes"))?;
    let v1::SignEndorsementRequest { not_before, not_after, .. } = *request;
    if config.max_endorsement.is_zero() {
        return Err(Status::permission_denied("this signer endorses no TLS keys: max_endorsement is 0s"));
    }
    // Clocks may be apart by so much.
    let most = now.saturating_add(config.max_endorsement.as_secs()).saturating_add(HOUR);
    if not_before > now.saturating_add(HOUR) || not_after > most {
        return Err(Status::permission_denied(format!(
            "an endorsement must begin now and end by {most} by this signer's rules, got {not_before} to {not_after}"
        )));
    }
    Ok((tls_key, not_before, not_after))
}

fn parsed(statement: &wire::Statement) -> Result<Statement, Status> {
    Statement::try_from(statement).map_err(|error| Status::invalid_argument(error.to_string()))
}

/// The chain and registry are the signer's: a signature for another is worth nothing here and something there.
fn domain(chain_id: u64, registry: &[u8], config: &Config) -> Result<(), Status> {
    let registry: [u8; 20] =
        registry.try_into().map_err(|_| Status::invalid_argument("registry must have 20 bytes"))?;
    let got = Domain { chain_id, registry: Address::from(registry) };
    let expected = config.domain();
    if got == expected {
        return Ok(());
    }
    // Not the fault of what is asked: the settings of the two do not fit.
    Err(Status::failed_precondition(format!(
        "expected chain {} and registry {}, got {} and {}",
        expected.chain_id, expected.registry, got.chain_id, got.registry
    )))
}

fn namespace(namespace: &Namespace, config: &Config) -> Result<(), Status> {
    if config.namespaces.is_empty() || config.namespaces.contains(namespace) {
        return Ok(());
    }
    Err(Status::permission_denied(format!("namespace {namespace} is not among those that this signer signs for")))
}

/// On the grid, ahead, and no further than is allowed. What is being signed again may be nearly over, so a time that has just
/// passed is still signed.
fn time(field: &str, got: u64, now: u64, longest: u64) -> Result<(), Status> {
    grid(field, got)?;
    if got.saturating_add(HOUR) < now {
        return Err(Status::permission_denied(format!("{field} is over: it is {now}, got {got}")));
    }
    within(field, got, now, longest)
}

fn grid(field: &str, got: u64) -> Result<(), Status> {
    if got.is_multiple_of(HOUR) {
        return Ok(());
    }
    Err(Status::invalid_argument(format!("{field} must be a whole hour, got {got}")))
}

/// No further ahead than is allowed, by a clock that may be an hour behind the member's.
fn within(field: &str, got: u64, now: u64, longest: u64) -> Result<(), Status> {
    let most = hour_at_or_after(now.saturating_add(longest)).saturating_add(HOUR);
    if got <= most {
        return Ok(());
    }
    Err(Status::permission_denied(format!("{field} must be at most {most} by this signer's rules, got {got}")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_erasure::{Blob, Digest};
    use tonic::Code;

    use super::*;
    use crate::signer::Listen;

    const NOW: u64 = 500_000 * HOUR + 60;
    const DAY: u64 = 86_400;

    fn config() -> Config {
        Config {
            listen: Listen::Unix("s".into()),
            tls: None,
            token_file: None,
            keystore: "k".into(),
            password_file: "p".into(),
            chain_id: 1,
            registry: Address::from([2; 20]),
            max_retention: Duration::from_secs(90 * DAY),
            max_whole: Duration::from_secs(30 * DAY),
            max_endorsement: Duration::from_secs(90 * DAY),
            namespaces: vec![Namespace::from([7; 32])],
            signatures_per_second: 1,
            log: Default::default(),
        }
    }

    fn asked(change: impl FnOnce(&mut Statement)) -> v1::SignStatementRequest {
        let mut statement = Statement {
            namespace: Namespace::from([7; 32]),
            epoch: 3,
            blob: Blob {
                payload_length: 100,
                payload_digest: Digest::ZERO,
                original_shards: 2,
                total_shards: 5,
                shards_root: Digest::from([1; 32]),
                fingerprints_hash: Digest::from([2; 32]),
            },
            whole_until: 0,
            retain_until: 500_000 * HOUR + 28 * DAY,
        };
        change(&mut statement);
        let registry = bytes::Bytes::copy_from_slice(&[2; 20]);
        v1::SignStatementRequest { chain_id: 1, registry, statement: Some((&statement).into()) }
    }

    #[test]
    fn only_what_the_rules_allow_is_signed() {
        let config = config();
        statement(&asked(|_| {}), &config, NOW).expect("good");
        statement(&asked(|of| of.retain_until = hour_at_or_after(NOW + 90 * DAY)), &config, NOW).expect("the longest");
        let whole = |of: &mut Statement| {
            of.blob.payload_digest = Digest::from([1; 32]);
            of.whole_until = of.retain_until;
        };
        statement(&asked(whole), &config, NOW).expect("by payload");
        let late = |of: &mut Statement| {
            of.blob.payload_digest = Digest::from([1; 32]);
            of.whole_until = 499_000 * HOUR;
        };
        statement(&asked(late), &config, NOW).expect("repaired when it is not kept whole any more");
        let far = |of: &mut Statement| {
            of.blob.payload_digest = Digest::from([1; 32]);
            of.retain_until = 500_000 * HOUR + 60 * DAY;
            of.whole_until = 500_000 * HOUR + 31 * DAY;
        };
        statement(&asked(far), &config, NOW).expect_err("whole for too long");
        type Change = Box<dyn FnOnce(&mut Statement)>;
        let cases: Vec<(Change, Code)> = vec![
            (Box::new(|of| of.namespace = Namespace::from([8; 32])), Code::PermissionDenied),
            (Box::new(|of| of.retain_until = 500_003 * HOUR + 90 * DAY), Code::PermissionDenied),
            (Box::new(|of| of.retain_until = 400_000 * HOUR), Code::PermissionDenied),
            (Box::new(|of| of.retain_until += 1), Code::InvalidArgument),
            (Box::new(|of| of.whole_until = of.retain_until), Code::InvalidArgument),
            (Box::new(|of| of.blob.payload_digest = Digest::from([1; 32])), Code::InvalidArgument),
        ];
        for (change, code) in cases {
            let status = statement(&asked(change), &config, NOW).expect_err("refused");
            assert_eq!(status.code(), code, "{status}");
        }
        for (chain_id, registry) in [(2, [2; 20]), (1, [3; 20])] {
            let registry = bytes::Bytes::copy_from_slice(&registry);
            let request = v1::SignStatementRequest { chain_id, registry, ..asked(|_| {}) };
            let status = statement(&request, &config, NOW).expect_err("another");
            assert_eq!(status.code(), Code::FailedPrecondition, "not for ever: the settings may be mended");
            assert!(status.message().contains("expected chain 1"));
        }
        assert!(statement(&v1::SignStatementRequest { statement: None, ..asked(|_| {}) }, &config, NOW).is_err());
    }

    #[test]
    fn a_tls_key_is_endorsed_for_as_long_as_the_rules_allow_and_not_at_all_by_default() {
        let asked = |from: u64, until: u64| v1::SignEndorsementRequest {
            chain_id: 1,
            registry: bytes::Bytes::copy_from_slice(&[2; 20]),
            tls_key: bytes::Bytes::copy_from_slice(&[5; 32]),
            not_before: from,
            not_after: until,
        };
        let config = config();
        let good = endorsement(&asked(NOW - HOUR, NOW + 90 * DAY), &config, NOW).expect("good");
        assert_eq!(good, ([5; 32], NOW - HOUR, NOW + 90 * DAY));
        for (from, until) in [(NOW, NOW + 91 * DAY), (NOW + 2 * HOUR, NOW + 90 * DAY)] {
            let status = endorsement(&asked(from, until), &config, NOW).expect_err("refused");
            assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        }
        let other = v1::SignEndorsementRequest { chain_id: 2, ..asked(NOW, NOW + DAY) };
        assert_eq!(endorsement(&other, &config, NOW).expect_err("another chain").code(), Code::FailedPrecondition);
        let never = Config { max_endorsement: Duration::ZERO, ..config };
        assert!(
            endorsement(&asked(NOW, NOW + 1), &never, NOW).expect_err("never").message().contains("max_endorsement")
        );
    }

    #[test]
    fn a_checkpoint_is_computed_from_its_ids() {
        let config = config();
        let request = |ids: Vec<u8>, hours: u64| v1::SignCheckpointRequest {
            chain_id: 1,
            registry: bytes::Bytes::copy_from_slice(&[2; 20]),
            namespace: bytes::Bytes::copy_from_slice(&[7; 32]),
            epoch: 3,
            blob_ids: ids.into(),
            retain_until: (500_000 + hours) * HOUR,
        };
        let two = [[1; 32], [2; 32]].concat();
        let made = checkpoint(&request(two.clone(), 24), &config, NOW).expect("good");
        assert_eq!(made.build().expect("sound").count, 2);
        for (ids, hours) in [(vec![], 24), (vec![1; 31], 24), (vec![1; 64], 24), (two.clone(), 24 * 92)] {
            checkpoint(&request(ids, hours), &config, NOW).expect_err("refused");
        }
    }
}
