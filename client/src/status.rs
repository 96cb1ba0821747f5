use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use holdfast_certificate::{Address, Namespace, PublicKey};
use holdfast_proto::v1;
use tokio::time::{Instant, timeout_at};

use crate::{
    context::{Context, unix_now},
    error::Error,
    failure::{FailureReason, MemberFailure},
    fault::Fault,
    words::peer_text,
};

/// How long a status waits for a member.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// The most namespaces that a member may name.
const MAX_NAMESPACES: usize = 1000;

/// One slot of the newest epoch, and what its member says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberStatus {
    /// The epoch.
    pub epoch: u64,
    /// The slot.
    pub slot: u16,
    /// Where the member was asked.
    pub endpoint: String,
    /// The slot's key.
    pub public_key: PublicKey,
    /// What it said, or why it said nothing that can be used.
    pub info: Result<MemberInfo, MemberFailure>,
}

/// What a member says of itself, texts cut to 256 bytes without control characters. Only its key's form and its being the slot's were checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its software's version.
    pub version: String,
    /// The chain whose registry it follows; zero for a committee file.
    pub chain_id: u64,
    /// That registry.
    pub registry: Option<Address>,
    /// The epoch that is active as it sees it; zero where none is.
    pub epoch: u64,
    /// Its slot in that epoch.
    pub slot: Option<u16>,
    /// Its clock, unix seconds.
    pub time: u64,
    /// How far that was from this machine's clock when it answered, in seconds; above zero where it is ahead.
    pub clock_off: i64,
    /// Blobs that it holds.
    pub blobs: u64,
    /// Bytes of shards and whole payloads that it holds.
    pub stored_bytes: u64,
    /// Why it neither stores nor signs, where that is so.
    pub writes_disabled: Option<String>,
    /// What it promises at most, where it says so.
    pub policy: Option<MemberPolicy>,
    /// 16 bytes that tell its store from any other; empty where it does not say.
    pub store_id: Bytes,
    /// 16 bytes that tell this run of its process from any other; empty where it does not say.
    pub run_id: Bytes,
    /// When its store took the place of one that was lost, unix seconds, while it does not hold again all that it signed.
    pub store_lost_at: Option<u64>,
    /// What it has found damaged and does not hold whole again.
    pub damaged: u64,
    /// Where another process answers with this member's key.
    pub twin: Option<String>,
    /// What it makes whole again.
    pub repair: RepairProgress,
    /// How long it took to answer.
    pub answered_in: Duration,
}

/// What a member promises at most; it refuses a statement beyond it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPolicy {
    /// The longest retention.
    pub max_retention: Duration,
    /// The longest time that it keeps payloads whole.
    pub max_whole: Duration,
    /// Bytes times seconds that one namespace may have outstanding.
    pub namespace_quota: u128,
    /// The namespaces that it serves; every one that the registry has where this is empty.
    pub namespaces: Vec<Namespace>,
}

impl MemberPolicy {
    /// Whether the member serves a namespace.
    #[must_use]
    pub fn serves(&self, namespace: &Namespace) -> bool {
        self.namespaces.is_empty() || self.namespaces.contains(namespace)
    }
}

/// How far a member is with what it lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairProgress {
    /// Statements whose data it is to get, and not set aside.
    pub queued: u64,
    /// Bytes to be fetched for them.
    pub queued_bytes: u64,
    /// Statements made whole since its start.
    pub repaired: u64,
    /// Those whose data nobody has, set aside for a while.
    pub set_aside: u64,
    /// When it will be done at the rate of now, in seconds; `None` where that is not known.
    pub eta_seconds: Option<u64>,
}

pub(crate) async fn status(context: &Context) -> Result<Vec<MemberStatus>, Error> {
    context.check_open()?;
    let now = Instant::now();
    let record = context.newest_epoch(now + context.config.read_deadline).await?;
    let wait = STATUS_WAIT.min(context.config.read_deadline);
    let answers = join_all(context.members(&record).into_iter().map(|member| {
        let record = &record;
        async move {
            let public_key = *record.committee.key(member.slot).expect("members are the committee's slots");
            let asked = Instant::now();
            let info = match timeout_at(asked + wait, member.peer.get_info()).await {
                Ok(Ok(answer)) => info(answer, &public_key, asked.elapsed()).map_err(FailureReason::from),
                Ok(Err(reason)) => Err(reason),
                Err(_) => Err(FailureReason::NoAnswer { within: wait }),
            };
            MemberStatus {
                epoch: member.epoch,
                slot: member.slot,
                endpoint: member.peer.endpoint().to_owned(),
                public_key,
                info: info.map_err(|reason| member.failure(reason)),
            }
        }
    }));
    Ok(answers.await)
}

/// What a member says of itself, where its key is the `expected` one.
pub(crate) fn info(
    answer: v1::GetInfoResponse,
    expected: &PublicKey,
    answered_in: Duration,
) -> Result<MemberInfo, Fault> {
    let invalid = |field, reason: String| Fault::Malformed(holdfast_proto::Error::Invalid { field, reason });
    let got = PublicKey::from_bytes(&answer.public_key).map_err(|error| invalid("public_key", error.to_string()))?;
    if got != *expected {
        return Err(Fault::WrongKey { expected: Box::new(*expected), got: Box::new(got) });
    }
    let registry = match answer.registry.as_ref() {
        [] => None,
        bytes => Some(Address::from_bytes(bytes).map_err(|error| invalid("registry", error.to_string()))?),
    };
    let slot = answer.slot.map(u16::try_from).transpose().map_err(|error| invalid("slot", error.to_string()))?;
    let repair = answer.repair.unwrap_or_default();
    Ok(MemberInfo {
        store_id: id_of(&answer.store_id),
        run_id: id_of(&answer.run_id),
        store_lost_at: Some(answer.store_lost_at).filter(|at| *at > 0),
        damaged: answer.damaged,
        twin: Some(peer_text(&answer.twin)).filter(|twin| !twin.is_empty()),
        repair: RepairProgress {
            queued: repair.queued,
            queued_bytes: repair.queued_bytes,
            repaired: repair.repaired,
            set_aside: repair.set_aside,
            eta_seconds: repair.eta_seconds,
        },
        version: peer_text(&answer.version),
        chain_id: answer.chain_id,
        registry,
        epoch: answer.epoch,
        slot,
        time: answer.time,
        // The answer may have been made at any time since it was asked for; the middle errs least.
        clock_off: clock_off(answer.time, unix_now(), answered_in),
        blobs: answer.blobs,
        stored_bytes: answer.stored_bytes,
        writes_disabled: Some(peer_text(&answer.writes_disabled)).filter(|reason| !reason.is_empty()),
        policy: answer.policy.map(|policy| policy_of(&policy)).transpose()?,
        answered_in,
    })
}

fn policy_of(policy: &v1::Policy) -> Result<MemberPolicy, Fault> {
    let invalid = |field, reason: String| Fault::Malformed(holdfast_proto::Error::Invalid { field, reason });
    let quota: [u8; 16] =
        policy.namespace_quota.as_ref().try_into().map_err(|_| {
            invalid("namespace_quota", format!("expected 16 bytes, got {}", policy.namespace_quota.len()))
        })?;
    if policy.namespaces.len() > MAX_NAMESPACES {
        let got = policy.namespaces.len();
        return Err(invalid("namespaces", format!("expected at most {MAX_NAMESPACES}, got {got}")));
    }
    let namespaces = policy.namespaces.iter().map(|bytes| Namespace::from_bytes(bytes));
    Ok(MemberPolicy {
        max_retention: Duration::from_secs(policy.max_retention),
        max_whole: Duration::from_secs(policy.max_whole),
        namespace_quota: u128::from_be_bytes(quota),
        namespaces: namespaces.collect::<Result<_, _>>().map_err(|error| invalid("namespaces", error.to_string()))?,
    })
}

/// An id of 16 bytes, or none.
fn id_of(bytes: &Bytes) -> Bytes {
    if bytes.len() == 16 { Bytes::copy_from_slice(bytes) } else { Bytes::new() }
}

/// The difference of a clock that was read within the last `answered_in` to ours, which is `now`.
fn clock_off(theirs: u64, now: u64, answered_in: Duration) -> i64 {
    let read_at = now.saturating_sub(answered_in.as_secs() / 2);
    theirs.cast_signed().wrapping_sub(read_at.cast_signed())
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    #[test]
    fn a_clock_is_compared_with_the_answer_s_own_time() {
        assert_eq!(clock_off(1000, 1000, Duration::from_millis(20)), 0);
        assert_eq!(clock_off(1000, 1004, Duration::from_secs(8)), 0);
        assert_eq!(clock_off(1007, 1000, Duration::ZERO), 7);
        assert_eq!(clock_off(u64::MAX, 1000, Duration::ZERO), -1001);
    }

    #[test]
    fn a_policy_is_read_and_one_that_makes_no_sense_is_the_member_s_fault() {
        let wire = v1::Policy {
            max_retention: 3600,
            max_whole: 60,
            namespace_quota: Bytes::copy_from_slice(&7_u128.to_be_bytes()),
            namespaces: vec![Bytes::from_static(&[1; 32])],
        };
        let policy = policy_of(&wire).expect("well formed");
        assert_eq!((policy.max_retention, policy.max_whole), (Duration::from_secs(3600), Duration::from_secs(60)));
        assert_eq!(policy.namespace_quota, 7);
        assert!(policy.serves(&Namespace::from([1; 32])) && !policy.serves(&Namespace::from([2; 32])));
        let short = v1::Policy { namespace_quota: Bytes::from_static(&[1]), ..wire.clone() };
        let foreign = v1::Policy { namespaces: vec![Bytes::from_static(&[1; 31])], ..wire.clone() };
        let endless = v1::Policy { namespaces: vec![Bytes::from_static(&[1; 32]); 1001], ..wire };
        for wrong in [short, foreign, endless] {
            policy_of(&wrong).expect_err("malformed");
        }
    }

    #[test]
    fn what_a_member_says_of_itself_cannot_write_to_the_terminal() {
        let key = SecretKey::generate().public_key();
        let text = format!("1.0\u{1b}]0;owned\u{7}\r\n{}", "x".repeat(1 << 16));
        let answer = v1::GetInfoResponse {
            version: text.clone(),
            writes_disabled: text,
            public_key: Bytes::copy_from_slice(&key.to_bytes()),
            ..v1::GetInfoResponse::default()
        };
        let info = info(answer, &key, Duration::ZERO).expect("the slot's key");
        for text in [info.version, info.writes_disabled.expect("a reason")] {
            assert!(text.starts_with("1.0 ]0;owned") && text.len() < 300, "{text}");
            assert!(!text.chars().any(char::is_control));
        }
    }
}
