//! The client against real members, with their stores on disk.

use std::sync::Arc;

use holdfast_certificate::{
    CheckpointProof, CommitteeFile, DisperserKey, FileMember, FileNamespace, Namespace, Registration, SecretKey,
};
use holdfast_client::{Client, DisperseOptions, Error, Fault, RetrieveOptions, Way};
use holdfast_committee::{
    Config, Member, Running,
    config::{Limits, Policy},
    fault,
    store::IfMissing,
};
use holdfast_registry::{FileRegistry, Registry};
use tempfile::TempDir;

/// Five members (t 4, k 2) of a committee without L1.
struct Members {
    folder: TempDir,
    file: CommitteeFile,
    keys: Vec<SecretKey>,
    disperser: DisperserKey,
    running: Vec<Option<Running>>,
}

impl Members {
    async fn start() -> Self {
        let keys: Vec<SecretKey> = (0..5).map(|_| SecretKey::generate()).collect();
        let disperser = DisperserKey::generate();
        let members = (0u16..).zip(&keys).map(|(slot, key)| FileMember {
            slot,
            public_key: key.public_key(),
            proof_of_possession: key.prove_possession(&Registration::WITHOUT_L1),
            account: None,
            endpoint: "http://127.0.0.1:1".into(),
        });
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 1,
            original_shards: 2,
            total_shards: 5,
            threshold: 4,
            max_payload: 32 << 20,
            members: members.collect(),
            namespaces: vec![FileNamespace {
                id: Namespace::from([7; 32]),
                dispersers: vec![disperser.address()],
                min_retention: 0,
            }],
        };
        let running = keys.iter().map(|_| None).collect();
        let mut members = Self { folder: TempDir::new().unwrap(), file, keys, disperser, running };
        for slot in 0..5 {
            members.run(slot).await;
        }
        members
    }

    /// Starts the member in `slot`, at its old address where it had one.
    async fn run(&mut self, slot: usize) {
        let registry: Arc<dyn Registry> = Arc::new(FileRegistry::from_file(self.file.clone()).unwrap());
        let old = self.file.members[slot].endpoint.strip_prefix("http://").unwrap().to_owned();
        let config = Config {
            listen: if old.ends_with(":1") { "127.0.0.1:0".parse().unwrap() } else { old.parse().unwrap() },
            tls: None,
            insecure_plaintext: false,
            metrics_listen: None,
            data_dir: self.data_dir(slot),
            keystore: self.folder.path().join("unused.json"),
            password_file: self.folder.path().join("unused"),
            committee_file: Some(self.folder.path().join("unused-too.json")),
            l1: None,
            policy: Policy::default(),
            limits: Limits::default(),
        };
        let member = Member::new(config, self.keys[slot].clone(), registry).if_missing(IfMissing::Create);
        let running = member.launch().await.unwrap();
        self.file.members[slot].endpoint = running.endpoint();
        self.running[slot] = Some(running);
    }

    async fn stop(&mut self, slot: usize) {
        self.running[slot].take().expect("runs").stop().await.unwrap();
    }

    fn data_dir(&self, slot: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("m{slot}"))
    }

    fn client(&self) -> Client {
        Client::builder()
            .registry(Arc::new(FileRegistry::from_file(self.file.clone()).unwrap()))
            .namespace(Namespace::from([7; 32]))
            .disperser(self.disperser.clone())
            .build()
            .unwrap()
    }
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i * i % 251).unwrap()).collect()
}

#[tokio::test]
async fn what_is_put_is_read_back_by_shard_and_by_payload_with_three_of_five_gone() {
    let mut members = Members::start().await;
    let client = members.client();
    let mut put = Vec::new();
    for options in [DisperseOptions::by_shard(), DisperseOptions::by_payload()] {
        for length in [1, 255, 256, 257, 8191, 1_000_000, 5 << 20] {
            let dispersed = client.disperse(payload(length), options).await.unwrap();
            assert!(dispersed.failures.is_empty());
            put.push((length, dispersed.certificate));
        }
    }
    client.drain().await;
    for slot in [0, 2, 3] {
        members.stop(slot).await;
    }
    for (length, certificate) in &put {
        let read = client.retrieve(certificate, RetrieveOptions::default()).await.unwrap();
        assert!(read.payload == payload(*length), "{length}");
        let by_shard = certificate.statement.whole_until == 0;
        assert_eq!(read.way, if by_shard { Way::Shards } else { Way::Whole });
        let id = certificate.statement.blob.id();
        let read = client.retrieve(id, RetrieveOptions::default()).await.unwrap();
        assert!(read.payload == payload(*length), "{length} by id");
        let audited = RetrieveOptions::default().audit();
        let read = client.retrieve(id, audited).await.unwrap();
        assert!(read.payload == payload(*length) && read.way == Way::Shards, "{length} audited");
        assert!(read.faults.is_empty());
        if !by_shard {
            assert!(client.find(certificate.statement.blob.payload_digest).await.unwrap().contains(&id));
        }
    }
    let error = client.disperse(payload(10), DisperseOptions::default()).await.unwrap_err();
    let Error::QuorumNotReached { needed: 4, attested: 2, failures } = &error else { panic!("{error}") };
    assert_eq!(failures.iter().map(|failure| failure.slot).collect::<Vec<_>>(), [0, 2, 3]);
    // Started again, they have what they had, and the dispersal that failed succeeds.
    for slot in [0, 2, 3] {
        members.run(slot).await;
    }
    let only = RetrieveOptions::default().only([0, 2, 3]);
    for (length, certificate) in &put {
        assert!(client.retrieve(certificate, only.clone()).await.unwrap().payload == payload(*length));
    }
    client.disperse(payload(10), DisperseOptions::default()).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn a_member_that_replaced_its_shard_and_one_with_a_flipped_bit_are_named() {
    let mut members = Members::start().await;
    let client = members.client();
    let put = client.disperse(payload(300_000), DisperseOptions::by_shard()).await.unwrap();
    client.drain().await;
    let id = put.certificate.statement.blob.id();
    members.stop(1).await;
    fault::replace_shard(&members.data_dir(1), &id).await.unwrap();
    members.run(1).await;
    members.stop(4).await;
    fault::flip_bit(&members.data_dir(4), &id).await.unwrap();
    members.run(4).await;
    let audited = RetrieveOptions::default().audit();
    let read = client.retrieve(&put.certificate, audited).await.unwrap();
    assert!(read.payload == payload(300_000));
    let mut faults = read.faults;
    faults.sort_by_key(|fault| fault.slot);
    assert_eq!(faults.iter().map(|fault| fault.slot).collect::<Vec<_>>(), [1, 4], "{faults:?}");
    assert!(matches!(faults[0].reason, Fault::WrongShard(_)), "{}", faults[0]);
    assert!(matches!(faults[1].reason, Fault::Damaged { .. }), "{}", faults[1]);
}

#[tokio::test]
async fn a_checkpoint_is_signed_over_what_is_held_and_a_blob_that_is_not_is_named() {
    let mut members = Members::start().await;
    let client = members.client();
    let mut ids = Vec::new();
    let mut retain_until = u64::MAX;
    for length in [1, 70_000, 300_000] {
        let put = client.disperse(payload(length), DisperseOptions::by_shard()).await.unwrap();
        ids.push(put.certificate.statement.blob.id());
        retain_until = retain_until.min(put.certificate.statement.retain_until);
    }
    client.drain().await;
    members.stop(3).await;
    let signed = client.checkpoint(None, &ids, retain_until).await.unwrap();
    assert_eq!(signed.attested, [0, 1, 2, 4]);
    for id in &ids {
        CheckpointProof::build(signed.certificate.checkpoint, &signed.ids, id).unwrap().verify(id).unwrap();
    }
    let absent = holdfast_erasure::BlobId::from([0xee; 32]);
    ids.push(absent);
    let error = client.checkpoint(None, &ids, retain_until).await.unwrap_err();
    let Error::QuorumNotReached { attested: 0, failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 5);
    for failure in failures.iter().filter(|failure| failure.slot != 3) {
        assert!(failure.reason.to_string().contains(&absent.to_string()), "{failure}");
    }
}

#[tokio::test]
async fn nothing_is_not_found_for_certain() {
    let members = Members::start().await;
    let id = holdfast_erasure::BlobId::from([3; 32]);
    let error = members.client().retrieve(id, RetrieveOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let status = members.client().status().await.unwrap();
    assert!(
        status.iter().all(|member| member.info.as_ref().is_ok_and(|info| info.slot == Some(member.slot))),
        "{status:?}"
    );
}
