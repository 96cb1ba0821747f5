//! One committee takes over from another while a rollup writes and users read.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use holdfast_certificate::{
    Address, Committee, CommitteeParameters, DisperserKey, Domain, Namespace, ProvenKey, Registration, SecretKey,
};
use holdfast_client::{Client, DisperseOptions, RenewOptions, RetrieveOptions, VerifiedCertificate};
use holdfast_committee::{Config, Member, Running, store::IfMissing};
use holdfast_erasure::Parameters;
use holdfast_registry::{Endpoint, EpochRecord, Error, NamespaceRecord, Registry};
use holdfast_transport::free_addresses;

const DOMAIN: Domain = Domain { chain_id: 9, registry: Address::ZERO };
const NAMESPACE: [u8; 32] = [5; 32];
/// From the start of the load to the change of committees, and on after it.
const BEFORE: u64 = 4;
const AFTER: Duration = Duration::from_secs(5);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Two epochs, of which the second follows at a second of its own.
#[derive(Debug)]
struct Turning {
    epochs: [Arc<EpochRecord>; 2],
    disperser: Address,
}

#[async_trait]
impl Registry for Turning {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        let known = self.epochs.iter().find(|record| record.committee.epoch() == epoch);
        known.cloned().ok_or(Error::UnknownEpoch { epoch })
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.epochs.iter().find(|record| record.is_active(at)).cloned().ok_or(Error::NoActiveEpoch { at })
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        if *namespace != Namespace::from(NAMESPACE) {
            return Err(Error::UnknownNamespace { namespace: *namespace });
        }
        Ok(NamespaceRecord {
            owner: Address::ZERO,
            dispersers: vec![self.disperser],
            min_retention: 0,
            next_min_retention: None,
            hold_until: 0,
        })
    }

    fn domain(&self) -> Domain {
        DOMAIN
    }
}

/// Seven members: five of the first committee, of which three serve in the second as well, in other slots.
struct World {
    registry: Arc<Turning>,
    members: Vec<Option<Running>>,
    disperser: DisperserKey,
    _folder: tempfile::TempDir,
}

const FIRST: [usize; 5] = [0, 1, 2, 3, 4];
const SECOND: [usize; 5] = [5, 2, 6, 0, 1];

impl World {
    async fn start(turn: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<SecretKey> = (0..7).map(|_| SecretKey::generate()).collect();
        let addresses = free_addresses(keys.len()).unwrap();
        let record = |epoch: u64, seats: [usize; 5], active_from: u64, active_until: Option<u64>| {
            let registration = Registration { domain: DOMAIN, account: Address::ZERO };
            let proven = seats.iter().map(|seat| {
                let proof = keys[*seat].prove_possession(&registration);
                ProvenKey::check(keys[*seat].public_key(), proof, &registration).unwrap()
            });
            let parameters = CommitteeParameters::new(Parameters::new(2, 5).unwrap(), 4, 8 << 20).unwrap();
            let endpoints = seats.iter().map(|seat| Endpoint::unpinned(format!("http://{}", addresses[*seat])));
            Arc::new(EpochRecord {
                committee: Arc::new(Committee::new(DOMAIN, epoch, parameters, proven.collect()).unwrap()),
                active_from,
                active_until,
                accepted_until: active_until.map(|until| until + 3600),
                revoked_at: None,
                endpoints: endpoints.collect(),
            })
        };
        let disperser = DisperserKey::generate();
        let epochs = [record(1, FIRST, 0, Some(turn)), record(2, SECOND, turn, None)];
        let registry = Arc::new(Turning { epochs, disperser: disperser.address() });
        let mut members = Vec::new();
        for (number, key) in keys.into_iter().enumerate() {
            let config = Config::in_folder(addresses[number], &folder.path().join(format!("m{number}")));
            let member = Member::new(config, key, Arc::clone(&registry) as Arc<dyn Registry>);
            members.push(Some(member.if_missing(IfMissing::Create).launch().await.unwrap()));
        }
        Self { registry, members, disperser, _folder: folder }
    }

    fn client(&self) -> Client {
        let builder = Client::builder().registry(Arc::clone(&self.registry) as Arc<dyn Registry>);
        builder.namespace(Namespace::from(NAMESPACE)).disperser(self.disperser.clone()).build().unwrap()
    }

    async fn stop(&mut self, member: usize) {
        self.members[member].take().unwrap().stop().await.unwrap();
    }
}

fn payload(writer: u32, number: u32) -> Vec<u8> {
    let mut payload = vec![0x77; 1000 + 7 * number as usize];
    payload[..4].copy_from_slice(&writer.to_be_bytes());
    payload[4..8].copy_from_slice(&number.to_be_bytes());
    payload
}

/// What has been written, for readers to choose from.
type Written = Arc<Mutex<Vec<(Vec<u8>, VerifiedCertificate)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_committees_under_load_fails_no_read_and_no_put_twice() {
    let turn = now() + BEFORE;
    let mut world = World::start(turn).await;
    let (written, over) = (Written::default(), Arc::new(AtomicBool::new(false)));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..3_u32 {
        let (client, written, over) = (world.client(), Arc::clone(&written), Arc::clone(&over));
        tasks.spawn(async move {
            let mut failed = Vec::new();
            for number in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let payload = payload(writer, number);
                let options = if number % 4 == 0 { DisperseOptions::by_payload() } else { DisperseOptions::by_shard() };
                let put = match client.disperse(payload.clone(), options).await {
                    Ok(put) => put,
                    Err(error) => {
                        failed.push(error.to_string());
                        client.disperse(payload.clone(), options).await.expect("the second try")
                    }
                };
                written.lock().unwrap().push((payload, put.certificate));
            }
            client.close().await;
            failed
        });
    }
    for reader in 0..3_usize {
        let (client, written, over) = (world.client(), Arc::clone(&written), Arc::clone(&over));
        tasks.spawn(async move {
            let mut failed = Vec::new();
            let mut turn = reader;
            while !over.load(Ordering::SeqCst) {
                let chosen = {
                    let written = written.lock().unwrap();
                    turn = turn.wrapping_mul(31).wrapping_add(7);
                    written.get(turn % written.len().max(1)).cloned()
                };
                let Some((payload, certificate)) = chosen else {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                };
                let read = if turn.is_multiple_of(2) {
                    client.retrieve(certificate.statement.blob.id(), RetrieveOptions::default()).await
                } else {
                    client.retrieve(&certificate, RetrieveOptions::default()).await
                };
                match read {
                    Ok(read) => assert!(read.payload == payload, "other bytes"),
                    Err(error) => failed.push(error.to_string()),
                }
            }
            failed
        });
    }
    tokio::time::sleep(Duration::from_secs(turn.saturating_sub(now())) + AFTER).await;
    over.store(true, Ordering::SeqCst);
    let failed: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    let written = std::mem::take(&mut *written.lock().unwrap());
    let of = |epoch: u64| written.iter().filter(|(_, certificate)| certificate.statement.epoch == epoch).count();
    assert!(of(1) > 20 && of(2) > 20, "{} and {}", of(1), of(2));
    assert!(failed.is_empty(), "{failed:?}");

    // Who was only in the first committee goes, and one of the second is down: what was renewed is all there.
    let client = world.client();
    let first: Vec<_> = written.iter().filter(|(_, certificate)| certificate.statement.epoch == 1).take(20).collect();
    let longer = RenewOptions::default().retain_for(Duration::from_secs(40 * 24 * 3600));
    for (_, certificate) in &first {
        let renewed = client.renew(certificate.statement.blob.id(), longer).await.unwrap();
        assert_eq!(renewed.certificate.statement.epoch, 2);
    }
    client.drain().await;
    for member in [3, 4, 0] {
        world.stop(member).await;
    }
    for (payload, certificate) in first {
        let read = client.retrieve(certificate.statement.blob.id(), RetrieveOptions::default()).await.unwrap();
        assert!(read.payload == *payload);
    }
    for member in [1, 2, 5, 6] {
        world.stop(member).await;
    }
}
