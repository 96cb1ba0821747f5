//! Signers that are not a key in memory: away, slow, or with another key than they say.

use std::{sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use holdfast_client::{
    Address, Blame, DisperseOptions, DisperserKey, DisperserSignature, DisperserSigner, Error, RetrieveOptions,
    SignerError, StatementDigest,
};

use crate::support::{TestCommittee, payload};

/// A key that is kept elsewhere.
#[derive(Debug)]
struct Kept {
    says: Address,
    key: DisperserKey,
    conduct: Conduct,
}

#[derive(Clone, Copy, Debug)]
enum Conduct {
    Good,
    Away,
    Hangs,
}

#[async_trait]
impl DisperserSigner for Kept {
    fn address(&self) -> Address {
        self.says
    }

    async fn sign(&self, digest: &StatementDigest) -> Result<DisperserSignature, SignerError> {
        match self.conduct {
            Conduct::Good => Ok(self.key.sign(digest)),
            Conduct::Away => Err("the vault is sealed".into()),
            Conduct::Hangs => std::future::pending().await,
        }
    }
}

async fn failure(committee: &TestCommittee, key: DisperserKey, conduct: Conduct) -> Error {
    let signer = Kept { says: committee.disperser.address(), key, conduct };
    let client = committee.client_with(|builder| builder.disperser(signer));
    let options = DisperseOptions::by_shard().deadline(Duration::from_millis(500));
    client.disperse(payload(1000), options).await.unwrap_err()
}

#[tokio::test]
async fn a_key_that_is_kept_elsewhere_signs() {
    let committee = TestCommittee::start(4, 3, 2);
    let key = committee.disperser.clone();
    let client =
        committee.client_with(|builder| builder.disperser(Kept { says: key.address(), key, conduct: Conduct::Good }));
    let put = client.disperse(payload(1000), DisperseOptions::by_shard()).await.unwrap();
    assert!(client.retrieve(&put.certificate, RetrieveOptions::default()).await.unwrap().payload == payload(1000));
    let id = put.certificate.statement.blob.id();
    client.checkpoint(None, &[id], put.certificate.statement.retain_until).await.unwrap();
}

#[tokio::test]
async fn a_signer_that_is_away_or_hangs_is_named_within_the_deadline_and_nothing_is_sent() {
    let committee = TestCommittee::start(4, 3, 2);
    for (conduct, says) in [(Conduct::Away, "the vault is sealed"), (Conduct::Hangs, "did not answer in time")] {
        let error = failure(&committee, committee.disperser.clone(), conduct).await;
        assert!(matches!(error, Error::Signer { .. }) && error.to_string().contains(says), "{error}");
        assert!(error.is_retryable() && error.blame() == Blame::Caller);
        assert!(error.to_string().contains(&committee.disperser.address().to_string()), "{error}");
    }
    assert!(committee.members.iter().all(|member| member.writes.load(Ordering::SeqCst) == 0));
}

#[tokio::test]
async fn a_signer_with_another_key_than_it_says_is_found_out_before_anything_is_sent() {
    let committee = TestCommittee::start(4, 3, 2);
    let error = failure(&committee, DisperserKey::generate(), Conduct::Good).await;
    assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains("expected one by"), "{error}");
    assert!(!error.is_retryable());
    assert!(committee.members.iter().all(|member| member.writes.load(Ordering::SeqCst) == 0));
}
