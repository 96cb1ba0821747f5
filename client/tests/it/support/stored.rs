use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use holdfast_certificate::VerifiedCertificate;
use holdfast_client::{Client, Config, Dispersal, DisperseOptions, Error, RetrieveOptions, Retrieved};
use holdfast_erasure::{BlobId, Parameters};

use super::{
    committee::{TestCommittee, quick},
    tools::payload,
};

const LENGTH: usize = 700_001;

/// A committee of 7 (t 6, k 2) that holds a payload, all members with the certificate.
pub(crate) struct Stored {
    pub(crate) committee: TestCommittee,
    pub(crate) client: Client,
    pub(crate) payload: Bytes,
    pub(crate) certificate: VerifiedCertificate,
    pub(crate) id: BlobId,
}

pub(crate) async fn stored(dispersal: Dispersal) -> Stored {
    stored_by(TestCommittee::start(7, 6, 2), quick(), dispersal).await
}

/// The same, read by a client that hedges nobody.
pub(crate) async fn stored_for_the_patient(dispersal: Dispersal) -> Stored {
    stored_hedged(dispersal, Duration::from_secs(20)).await
}

/// The same, read by a client that asks another after `delay`.
pub(crate) async fn stored_hedged(dispersal: Dispersal, delay: Duration) -> Stored {
    stored_by(TestCommittee::start(7, 6, 2), quick().hedge_delay(delay), dispersal).await
}

async fn stored_by(committee: TestCommittee, config: Config, dispersal: Dispersal) -> Stored {
    let client = committee.client_with(|builder| builder.config(config));
    let payload = payload(LENGTH);
    let options = DisperseOptions::by(dispersal);
    let certificate = client.disperse(payload.clone(), options).await.unwrap().certificate;
    client.drain().await;
    let id = certificate.statement.blob.id();
    assert!(committee.members.iter().all(|member| member.holds(&id)));
    Stored { committee, client, payload, certificate, id }
}

impl Stored {
    /// The slots that hold the original shards.
    pub(crate) fn originals(&self) -> Vec<u16> {
        let (parameters, root) = (self.parameters(), self.certificate.statement.blob.shards_root);
        (0..2).map(|index| parameters.slot_of_shard(parameters.index(index).unwrap(), &root)).collect()
    }

    pub(crate) fn parameters(&self) -> Parameters {
        self.certificate.statement.blob.parameters().unwrap()
    }

    pub(crate) async fn read(&self) -> Result<Retrieved, Error> {
        self.client.retrieve(&self.certificate, RetrieveOptions::default()).await
    }

    pub(crate) async fn read_by_id(&self) -> Result<Retrieved, Error> {
        self.client.retrieve(self.id, RetrieveOptions::default()).await
    }

    /// Reads both ways and checks every byte.
    pub(crate) async fn reads_well(&self) -> Retrieved {
        let by_id = self.read_by_id().await.unwrap();
        assert_eq!(by_id.payload, self.payload);
        let by_certificate = self.read().await.unwrap();
        assert_eq!(by_certificate.payload, self.payload);
        by_certificate
    }

    pub(crate) fn reads(&self) -> usize {
        self.committee.members.iter().map(|member| member.reads.load(Ordering::Relaxed)).sum()
    }
}
