//! The rollup: stores, reads and renews with the real client, and at times gives shards to a few members by hand, as a
//! disperser that fails half-way does.

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use holdfast_certificate::{Attestation, Certificate, Statement, VerifiedCertificate, hour_at_or_after};
use holdfast_client::{Client, Config, DisperseOptions, Error, RenewOptions, RetrieveOptions};
use holdfast_erasure::{Dispersal, EncodedBlob, encode};
use holdfast_proto::{
    digests_to_bytes,
    v1::{self, dispersal_client::DispersalClient, store_shard_request::Part},
};
use holdfast_registry::EpochRecord;
use holdfast_transport::{Network, Trust, chunks, connect_lazy, endpoint};
use rand::{Rng, RngCore as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    ledger::{DOMAIN, ORIGINAL, code},
    nature,
    network::Net,
    promises::{Attested, Certified},
    world::{Phase, World, disperser, name, namespace},
};

/// The rollup's host.
pub(crate) const NAME: &str = "rollup";
/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(6);
/// More than it takes until a client notices that nothing comes through on a connection any more, which is 15 s: what was lost
/// in a partition is not sent again here, as TCP would.
const NOTICED: Duration = Duration::from_secs(30);
/// Within which time a store must succeed once nothing goes wrong any more.
const SETTLED: Duration = Duration::from_secs(60);
const HOUR: u64 = 3600;

/// Works until the world is over.
pub(crate) async fn work(world: Rc<World>) -> turmoil::Result {
    let mut chance = StdRng::seed_from_u64(world.seed ^ 0x726f_6c6c);
    let rollup = Rollup { client: client(&world)?, world };
    while rollup.world.phase.get() == Phase::Trouble {
        sleep(Duration::from_millis(chance.random_range(200..1500))).await;
        match chance.random_range(0..10) {
            0..=3 => drop(rollup.put(&mut chance, DEADLINE).await),
            4 | 5 => rollup.put_by_hand(&mut chance).await,
            6..=8 => rollup.read_any(&mut chance).await,
            _ => rollup.renew_any(&mut chance).await,
        }
    }
    rollup.must_put(&mut chance).await;
    rollup.world.stored.set(true);
    while rollup.world.phase.get() != Phase::Audit {
        sleep(Duration::from_millis(100)).await;
    }
    rollup.audit(&mut chance).await;
    rollup.client.close().await;
    rollup.world.phase.set(Phase::Over);
    Ok(())
}

struct Rollup {
    world: Rc<World>,
    client: Client,
}

fn client(world: &World) -> Result<Client, Error> {
    let config = Config::default()
        .whole_retention(Duration::from_secs(2 * HOUR))
        .disperse_deadline(DEADLINE)
        .read_deadline(DEADLINE)
        .background_limit(Duration::from_secs(10))
        .connect_timeout(Duration::from_secs(1));
    let builder = Client::builder().registry(Arc::clone(&world.clients_ledger) as _).namespace(namespace());
    builder.disperser(disperser()).network(Arc::new(Net)).config(config).build()
}

impl Rollup {
    /// Stores something new with the client.
    async fn put(&self, chance: &mut StdRng, deadline: Duration) -> Result<(), Error> {
        let dispersal = if chance.random_bool(0.7) { Dispersal::ByShard } else { Dispersal::ByPayload };
        let payload = payload(chance);
        let hours = chance.random_range(2..72);
        let options = DisperseOptions::by(dispersal).retain_for(Duration::from_secs(hours * HOUR)).deadline(deadline);
        let what = format!("put {} bytes {dispersal:?} for {hours} h", payload.len());
        match self.client.disperse(payload.clone(), options).await {
            Ok(dispersed) => {
                self.certified(&what, dispersed.certificate, payload);
                Ok(())
            }
            Err(error) => {
                self.tell(format_args!("{what}: {}", short(&error)));
                Err(error)
            }
        }
    }

    /// Gives shards to some members, and hears what they say.
    async fn put_by_hand(&self, chance: &mut StdRng) {
        let now = nature::unix();
        let records = self.world.ledger.all();
        let Some(record) = records.iter().find(|record| record.is_active(now)) else { return };
        let encoded = encode(code(), payload(chance), Dispersal::ByShard).expect("a payload");
        let retain_until = hour_at_or_after(now + chance.random_range(2..72) * HOUR);
        let (epoch, blob) = (record.committee.epoch(), *encoded.blob());
        let statement = Statement { namespace: namespace(), epoch, blob, whole_until: 0, retain_until };
        let slots: Vec<u16> = (0..record.committee.len()).filter(|_| chance.random_bool(0.6)).collect();
        let mut attested = Vec::new();
        for slot in slots {
            if let Some(attestation) = self.give(record, &encoded, &statement, slot).await {
                self.attested(record, &statement, &attestation);
                attested.push(slot);
            }
        }
        self.tell(format_args!("gave {} to some: signed by slots {attested:?}", name(encoded.id())));
    }

    async fn give(
        &self,
        record: &EpochRecord,
        encoded: &EncodedBlob,
        of: &Statement,
        slot: u16,
    ) -> Option<Attestation> {
        let network: Arc<dyn Network> = Arc::new(Net);
        let place =
            endpoint(&record.endpoints[usize::from(slot)].url, &Trust::default(), Duration::from_secs(1)).ok()?;
        let mut dispersal = DispersalClient::new(connect_lazy(&place, Some(&network)));
        let commitment = encoded.commitment();
        let index = code().shard_of_slot(slot, &of.blob.shards_root);
        let header = v1::StoreShardHeader {
            statement: Some(of.into()),
            disperser_signature: Bytes::copy_from_slice(&disperser().sign(&of.digest(&DOMAIN)).to_bytes()),
            shard_index: index.get().into(),
            shard_roots: digests_to_bytes(commitment.shard_roots()),
            fingerprints: commitment.fingerprints().clone(),
        };
        let parts = std::iter::once(Part::Header(header)).chain(chunks(encoded.shard(index)).map(Part::Chunk));
        let parts: Vec<_> = parts.map(|part| v1::StoreShardRequest { part: Some(part) }).collect();
        let answer = timeout(Duration::from_secs(3), dispersal.store_shard(futures::stream::iter(parts))).await.ok()?;
        Attestation::try_from(&answer.ok()?.into_inner().attestation?).ok()
    }

    async fn read_any(&self, chance: &mut StdRng) {
        let now = nature::unix();
        let promised = self.promised(now + HOUR);
        let Some(certified) = promised.choose(chance) else { return };
        let id = certified.certificate.statement.blob.id();
        match self.client.retrieve(&certified.certificate, RetrieveOptions::default()).await {
            Ok(read) if read.payload == certified.payload => {
                self.tell(format_args!("read {}, {} faults", name(id), read.faults.len()));
            }
            Ok(_) => self.world.violated(format_args!("wrong bytes of {}", name(id))),
            // Hours may have passed meanwhile, after which it is promised no more.
            Err(error @ (Error::NotFound { .. } | Error::Expired { .. } | Error::PromiseBroken { .. }))
                if certified.certificate.statement.retain_until > nature::unix() + HOUR =>
            {
                self.world.violated(format_args!("{} is promised, and said not to be there: {error}", name(id)));
            }
            Err(error) => self.tell(format_args!("read {}: {}", name(id), short(&error))),
        }
    }

    async fn renew_any(&self, chance: &mut StdRng) {
        let promised = self.promised(nature::unix() + HOUR);
        let Some(Certified { certificate, payload }) = promised.choose(chance) else { return };
        let id = certificate.statement.blob.id();
        let hours = chance.random_range(24..96);
        let options = RenewOptions::default().retain_for(Duration::from_secs(hours * HOUR));
        let what = format!("renew {} for {hours} h", name(id));
        match self.client.renew(id, options).await {
            Ok(dispersed) => self.certified(&what, dispersed.certificate, payload.clone()),
            Err(error) => self.tell(format_args!("{what}: {}", short(&error))),
        }
    }

    /// Nothing goes wrong any more, so a store succeeds.
    async fn must_put(&self, chance: &mut StdRng) {
        let until = Instant::now() + SETTLED;
        loop {
            let Err(error) = self.put(chance, Duration::from_secs(10)).await else { return };
            if Instant::now() > until {
                return self.world.violated(format_args!("no store succeeds any more: {error}"));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Each certificate is read from as few of its signers as may be left.
    async fn audit(&self, chance: &mut StdRng) {
        for Certified { certificate, payload } in self.promised(nature::unix() + HOUR) {
            let id = certificate.statement.blob.id();
            let numbers = self.world.numbers(certificate.statement.epoch);
            let mut left = certificate.signer_slots();
            left.retain(|slot| !self.world.lies(numbers[usize::from(*slot)]));
            let left: Vec<u16> = left.choose_multiple(chance, ORIGINAL.into()).copied().collect();
            let options = RetrieveOptions::default().only(left.clone()).deadline(NOTICED);
            match self.client.retrieve(&certificate, options).await {
                Ok(read) if read.payload == payload => {}
                Ok(_) => self.world.violated(format_args!("wrong bytes of {} from slots {left:?}", name(id))),
                Err(error) => {
                    self.world.violated(format_args!("{} cannot be read from slots {left:?}: {error}", name(id)));
                }
            }
        }
    }

    fn certified(&self, what: &str, certificate: VerifiedCertificate, payload: Bytes) {
        let statement = certificate.statement;
        self.tell(format_args!(
            "{what}: {} in epoch {}, certified by slots {:?}",
            name(statement.blob.id()),
            statement.epoch,
            certificate.signer_slots()
        ));
        let Some(record) = self.world.ledger.record(statement.epoch) else {
            return self.world.violated(format_args!("a certificate of epoch {}", statement.epoch));
        };
        if let Err(error) = Certificate::verify(&certificate, &record.committee) {
            self.world.violated(format_args!("a certificate that nobody else takes: {error}"));
        }
        let digest = statement.digest(&DOMAIN);
        let numbers = self.world.numbers(statement.epoch);
        let mut promises = self.world.promises.borrow_mut();
        for slot in certificate.signer_slots() {
            let member = numbers[usize::from(slot)];
            promises.attested.push(Attested { member, statement, digest, certified: true, excused: false });
        }
        promises.certified.push(Certified { certificate, payload });
    }

    fn attested(&self, record: &EpochRecord, statement: &Statement, attestation: &Attestation) {
        let digest = statement.digest(&DOMAIN);
        if let Err(error) = attestation.verify(&record.committee, &digest) {
            return self.world.violated(format_args!("a signature that is none: {error}"));
        }
        let member = self.world.numbers(statement.epoch)[usize::from(attestation.slot)];
        let attested = Attested { member, statement: *statement, digest, certified: false, excused: false };
        self.world.promises.borrow_mut().attested.push(attested);
    }

    /// What is promised until then at least.
    fn promised(&self, until: u64) -> Vec<Certified> {
        let promises = self.world.promises.borrow();
        promises.certified.iter().filter(|of| of.certificate.statement.retain_until > until).cloned().collect()
    }

    fn tell(&self, what: impl std::fmt::Display) {
        self.world.log.tell(NAME, what);
    }
}

fn payload(chance: &mut StdRng) -> Bytes {
    let mut bytes = vec![0; chance.random_range(1..3000)];
    chance.fill_bytes(&mut bytes);
    bytes.into()
}

fn short(error: &Error) -> String {
    error.to_string().chars().take(200).collect()
}
