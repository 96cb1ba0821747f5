//! The committees of what a bundle has, so that it can be verified without a registry.

use std::collections::BTreeMap;

use holdfast_registry::{self as registry, Registry};

use super::follow::Follow;
use crate::bridge::Epoch;

/// Where L1 does not tell so many epochs, it is away.
const MOST_UNTOLD: usize = 3;

/// Takes the epochs that are owed down among the `known`. One that L1 does not tell is owed on, and does not keep the others;
/// where L1 is away, all that is left is.
pub(super) async fn note(
    registry: &dyn Registry,
    follow: &mut Follow,
    known: &mut BTreeMap<u64, Epoch>,
) -> Result<(), registry::Error> {
    let mut failed = Vec::new();
    for epoch in follow.owed.clone() {
        match registry.epoch(epoch).await {
            Ok(record) => drop(known.insert(epoch, Epoch::of(&record))),
            Err(registry::Error::UnknownEpoch { .. }) => {}
            Err(error) => {
                failed.push(error);
                if failed.len() == MOST_UNTOLD { break } else { continue }
            }
        }
        follow.owed.remove(&epoch);
    }
    failed.into_iter().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use holdfast_certificate::{Address, Committee, CommitteeParameters, Domain, Namespace, ProvenKey, SecretKey};
    use holdfast_erasure::Parameters;
    use holdfast_registry::{EpochRecord, NamespaceRecord};

    use super::*;
    use crate::export::follow::MOST_OWED;

    /// Has every epoch but the second, and gives no answer about these.
    #[derive(Debug)]
    struct Untold(BTreeSet<u64>);

    #[async_trait::async_trait]
    impl Registry for Untold {
        async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, registry::Error> {
            if self.0.contains(&epoch) {
                return Err(registry::Error::Timeout { what: "eth_call", limit: Duration::from_secs(10) });
            }
            if epoch == 2 {
                return Err(registry::Error::UnknownEpoch { epoch });
            }
            let keys = (1..=5).map(|seed| SecretKey::derive_master(&[seed; 32]).expect("a key").public_key());
            let keys = keys.map(ProvenKey::from_registry).collect();
            let code = Parameters::new(2, 5).expect("a code");
            let parameters = CommitteeParameters::new(code, 4, 1 << 20).expect("parameters");
            let committee = Committee::new(self.domain(), epoch, parameters, keys).expect("a committee");
            Ok(Arc::new(EpochRecord {
                committee: Arc::new(committee),
                active_from: 1,
                active_until: None,
                accepted_until: None,
                revoked_at: None,
                endpoints: vec![registry::Endpoint::default(); 5],
            }))
        }

        async fn active_epoch(&self, _: u64) -> Result<Arc<EpochRecord>, registry::Error> {
            self.epoch(3).await
        }

        async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, registry::Error> {
            Err(registry::Error::UnknownNamespace { namespace: *namespace })
        }

        fn domain(&self) -> Domain {
            Domain { chain_id: 1, registry: Address::from([7; 20]) }
        }
    }

    async fn noted(follow: &mut Follow, untold: impl IntoIterator<Item = u64>) -> (Vec<u64>, Option<registry::Fault>) {
        let (registry, mut known) = (Untold(untold.into_iter().collect()), BTreeMap::new());
        let outcome = note(&registry, follow, &mut known).await;
        (known.into_keys().collect(), outcome.err().map(|error| error.fault()))
    }

    #[tokio::test]
    async fn epochs_that_l1_does_not_tell_while_it_is_away_are_owed_and_told_once_it_is_back() {
        let mut follow = Follow::default();
        follow.owe(&(1..=6).collect::<BTreeSet<u64>>());
        // What is known from before is told; few of the rest are asked for.
        assert_eq!(noted(&mut follow, 2..=6).await, (vec![1], Some(registry::Fault::L1)));
        assert_eq!(follow.owed.len(), 5);
        // Whoever goes on with the folder owes it as well.
        let written = serde_json::to_vec(&follow).expect("written");
        let mut follow: Follow = serde_json::from_slice(&written).expect("read");
        assert_eq!(noted(&mut follow, []).await, (vec![3, 4, 5, 6], None));
        assert!(follow.owed.is_empty());
        // A member that lists epochs without end takes no room for them.
        follow.owe((1..100_000).collect::<Vec<u64>>().iter());
        assert_eq!(follow.owed.len(), MOST_OWED);
        // What is in the folder does not depend on it.
        (200_000..202_000).for_each(|epoch| follow.owe_held(epoch));
        assert_eq!(follow.owed.len(), MOST_OWED + 2000);
    }

    #[tokio::test]
    async fn an_epoch_that_l1_never_tells_keeps_no_other_one() {
        let mut follow = Follow::default();
        follow.owe(&(1..=6).collect::<BTreeSet<u64>>());
        assert_eq!(noted(&mut follow, [3]).await, (vec![1, 4, 5, 6], Some(registry::Fault::L1)));
        assert_eq!(follow.owed, BTreeSet::from([3]));
    }
}
