//! A registry with epochs and namespaces in every state, the same told to [`holdfast_registry::verdict`], and certificates
//! that are good but for a few things.

use std::sync::Arc;

use alloy::primitives::{B256, U256};
use holdfast_certificate::{
    Address, Attestation, Committee, CommitteeParameters, HOUR, Namespace, ProvenKey, SecretKey, Statement,
};
use holdfast_erasure::{Digest, Parameters};
use holdfast_registry::{EpochRecord, NamedEpoch, NamespaceRecord, Status, verdict};
use revm::primitives::hardfork::SpecId;

use crate::{
    abi::Registry,
    agreement::Random,
    bls::all,
    fixture::{
        DELAY, FIVE, Fixture, GOVERNANCE, GUARDIAN, MAX_PAYLOAD, MIN_RETENTION, OWNER, SEVEN, SIGNATURE_OFFSET, Size,
        add_g1, bitmap, encode_l1, propose, register, secret_keys,
    },
};

/// Of the world's epochs the first closes, the second is revoked and then closes, the third is the last, since the fourth
/// was cancelled.
const REVOKED: u64 = 2;
const CANCELLED: u64 = 4;
/// For which the certificates of the first and second are good after their end.
const OVERLAP: u64 = HOUR / 2;

/// A registry with epochs and namespaces in every state, and the same told to [`verdict`].
pub(crate) struct World {
    pub(crate) fixture: Fixture,
    epochs: Vec<EpochRecord>,
    namespaces: Vec<History>,
    keys: Vec<Vec<SecretKey>>,
    /// Off the curve, outside the subgroup or the field, at infinity; and the generator.
    strange_points: Vec<[u8; 128]>,
}

/// A namespace, and what was known of it from which second on.
struct History {
    namespace: Namespace,
    known: Vec<(u64, NamespaceRecord)>,
}

impl History {
    fn at(&self, at: u64) -> Option<&NamespaceRecord> {
        self.known.iter().rev().find(|(from, _)| *from <= at).map(|(_, record)| record)
    }

    /// Every second in which something else begins to hold.
    fn marks(&self) -> impl Iterator<Item = u64> {
        self.known
            .iter()
            .flat_map(|(from, record)| std::iter::once(*from).chain(record.next_min_retention.map(|n| n.1)))
    }
}

impl World {
    pub(crate) fn new(spec: SpecId) -> Self {
        let mut fixture = Fixture::with_overlap(spec, SEVEN, OVERLAP);
        let from = fixture.chain.time;
        let sizes = [SEVEN, Size { n: 9, t: 5, k: 3 }, Size { n: 4, t: 3, k: 1 }, FIVE];
        let [changed, pending] = [2, 3].map(|salt| create_namespace(&mut fixture, salt));
        let mut keys = vec![secret_keys(0, SEVEN.n)];
        let mut times = vec![from];
        let (mut revoked_at, mut raised_from) = (0, 0);
        for (epoch, size) in (2u64..).zip(&sizes[1..]) {
            let members = secret_keys(100 * epoch as u16, size.n);
            let ids = members.iter().map(|key| register(&mut fixture.chain, fixture.registry, key)).collect();
            fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, *size));
            keys.push(members);
            times.push(fixture.chain.time + DELAY);
            if epoch == REVOKED {
                fixture.chain.time += 3 * DELAY;
                fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch });
                revoked_at = fixture.chain.time + 1;
                set_min_retention(&mut fixture, changed, 2 * MIN_RETENTION);
                raised_from = fixture.chain.time + HOUR;
            } else {
                fixture.chain.time += DELAY / 2;
            }
        }
        fixture.chain.must(GUARDIAN, fixture.registry, &Registry::cancelFromCall { epoch: CANCELLED });
        set_min_retention(&mut fixture, changed, MIN_RETENTION / 2);
        set_min_retention(&mut fixture, pending, 0);
        let lowered = fixture.chain.time + DELAY;

        let until = |index: usize| times.get(index + 1).copied().filter(|_| index as u64 + 2 != CANCELLED);
        let record = |index: usize| EpochRecord {
            committee: Arc::new(committee(&fixture, index as u64 + 1, sizes[index], &keys[index])),
            active_from: times[index],
            active_until: until(index),
            accepted_until: until(index).map(|until| until + OVERLAP),
            revoked_at: (index as u64 + 1 == REVOKED).then_some(revoked_at),
            endpoints: Vec::new(),
        };
        let epochs = (0..sizes.len()).map(record).collect();
        let raised = namespace_record(2 * MIN_RETENTION, Some((MIN_RETENTION / 2, lowered)));
        let namespaces = vec![
            History { namespace: fixture.namespace, known: vec![(0, namespace_record(MIN_RETENTION, None))] },
            History {
                namespace: changed,
                known: vec![(from + 1, namespace_record(MIN_RETENTION, None)), (raised_from, raised)],
            },
            History {
                namespace: pending,
                known: vec![(from + 1, namespace_record(MIN_RETENTION, Some((0, lowered))))],
            },
        ];
        Self { fixture, epochs, namespaces, keys, strange_points: strange_points() }
    }

    pub(crate) fn judge(&self, certificate: &[u8], at: u64) -> Status {
        // Too short to name anything: neither is asked for.
        let epoch = certificate.get(33..41).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let record = self.epochs.iter().find(|record| Some(record.committee.epoch()) == epoch);
        let epoch = match record {
            None => NamedEpoch::Unknown,
            Some(record) if record.committee.epoch() == CANCELLED => NamedEpoch::Cancelled,
            Some(record) => NamedEpoch::Known(record),
        };
        let named = |history: &&History| certificate.get(1..33) == Some(history.namespace.as_bytes());
        let namespace = self.namespaces.iter().find(named).and_then(|history| history.at(at));
        verdict(certificate, at, epoch, namespace)
    }

    /// A certificate and a time to judge it at: good but for at most a few things.
    pub(crate) fn draw(&self, random: &mut Random) -> (Vec<u8>, u64) {
        let index = random.below(self.epochs.len());
        let record = &self.epochs[index];
        let history = &self.namespaces[random.below(self.namespaces.len())];
        let at = self.time(record, history, random);
        let minimum = history.at(at).map_or(0, |record| record.min_retention_at(at));
        let mut statement = self.statement(record, history.namespace, at, minimum);
        if random.one_in(3) {
            bend(&mut statement, at, minimum, random);
        }
        let n = record.committee.len();
        let t = record.committee.parameters().threshold();
        // Mostly enough signers; slots missing from either end and in between.
        let signing =
            if random.one_in(6) { random.below(usize::from(n) + 1) as u16 } else { t.max(n - random.below(3) as u16) };
        let slots = random.choose(n, signing);
        let mut certificate = self.sign(index, &statement, &slots);
        if random.one_in(2) {
            self.damage(&mut certificate, &statement, random);
        }
        (certificate, at)
    }

    /// At, just before and just after every time that a rule knows.
    fn time(&self, record: &EpochRecord, history: &History, random: &mut Random) -> u64 {
        let ends = [record.active_until, record.accepted_until, record.revoked_at].into_iter().flatten();
        let marks: Vec<u64> = std::iter::once(record.active_from).chain(ends).chain(history.marks()).collect();
        match random.below(12) {
            0 => random.next(),
            1 => 0,
            2 => u64::MAX,
            3..=5 => marks[random.below(marks.len())].saturating_sub(1) + random.below(3) as u64,
            _ => record.active_from + random.below(usize::try_from(DELAY).unwrap()) as u64,
        }
    }

    fn statement(&self, record: &EpochRecord, namespace: Namespace, at: u64, minimum: u64) -> Statement {
        let usual = self.fixture.statement();
        let parameters = record.committee.parameters();
        let blob = holdfast_erasure::Blob {
            original_shards: parameters.original_shards(),
            total_shards: parameters.total_shards(),
            ..usual.blob
        };
        let retain_until = at.saturating_add(minimum).checked_next_multiple_of(HOUR).unwrap_or(usual.retain_until);
        Statement { namespace, epoch: record.committee.epoch(), blob, retain_until, ..usual }
    }

    fn sign(&self, index: usize, statement: &Statement, slots: &[u16]) -> Vec<u8> {
        let digest = statement.digest(&self.fixture.domain());
        let signature = slots
            .iter()
            .map(|&slot| Attestation::sign(slot, &self.keys[index][usize::from(slot)], &digest).signature.to_eip2537())
            .reduce(|a, b| add_g1(&self.fixture.chain, &a, &b));
        encode_l1(statement, bitmap(slots), &signature.unwrap_or([0; 128]))
    }

    /// Changes what was signed, or the signature.
    fn damage(&self, certificate: &mut Vec<u8>, statement: &Statement, random: &mut Random) {
        let signature = certificate[SIGNATURE_OFFSET..].to_vec();
        match random.below(9) {
            0 | 1 => flip(certificate, 0..321 * 8, random),
            2 => flip(certificate, SIGNATURE_OFFSET * 8..321 * 8, random),
            3 => flip(certificate, 161 * 8..193 * 8, random),
            4 => certificate.truncate(random.below(321)),
            5 => certificate.push(random.next().to_be_bytes()[0]),
            6 => {
                let point = &self.strange_points[random.below(self.strange_points.len())];
                certificate[SIGNATURE_OFFSET..].copy_from_slice(point);
            }
            7 => {
                // Another statement under the same signature.
                let mut other = *statement;
                other.blob.shards_root = Digest::from([random.next().to_be_bytes()[0]; 32]);
                let signers = U256::from_be_slice(&certificate[161..193]);
                *certificate = encode_l1(&other, signers, signature[..].try_into().expect("128 bytes"));
            }
            _ => {
                // The signature's halves exchanged: the coordinates of no point.
                certificate[SIGNATURE_OFFSET..].rotate_left(64);
            }
        }
    }
}

/// Breaks one rule of format, parameters, namespace or time, before anybody signs.
fn bend(statement: &mut Statement, at: u64, minimum: u64, random: &mut Random) {
    let blob = &mut statement.blob;
    match random.below(14) {
        0 => blob.payload_length = 0,
        1 => blob.payload_length = MAX_PAYLOAD + random.below(2) as u32,
        2 => blob.original_shards = random.below(200) as u16,
        3 => blob.total_shards = random.next() as u16,
        4 | 5 => statement.namespace = Namespace::from([random.below(3) as u8; 32]),
        6 => statement.epoch = random.below(6) as u64,
        7 => statement.epoch = random.next(),
        8 => statement.retain_until += random.below(2 * HOUR as usize) as u64,
        9 | 10 => {
            let most = at.saturating_add(minimum);
            statement.retain_until = (most / HOUR * HOUR).saturating_sub(random.below(2) as u64 * HOUR);
        }
        11 => blob.payload_digest = Digest::from([7; 32]),
        12 => statement.whole_until = HOUR,
        _ => {
            blob.payload_digest = Digest::from([7; 32]);
            statement.whole_until =
                statement.retain_until.saturating_sub(HOUR).saturating_add(random.below(3) as u64 * HOUR);
        }
    }
}

fn flip(certificate: &mut [u8], bits: std::ops::Range<usize>, random: &mut Random) {
    for _ in 0..=random.below(2) {
        let bit = bits.start + random.below(bits.len());
        certificate[bit / 8] ^= 1 << (bit % 8);
    }
}

fn committee(fixture: &Fixture, epoch: u64, size: Size, secrets: &[SecretKey]) -> Committee {
    let code = Parameters::new(size.k, size.n).expect("a code");
    let parameters = CommitteeParameters::new(code, size.t, MAX_PAYLOAD).expect("parameters");
    let keys = secrets.iter().map(|secret| ProvenKey::from_registry(secret.public_key())).collect();
    Committee::new(fixture.domain(), epoch, parameters, keys).expect("a committee")
}

fn create_namespace(fixture: &mut Fixture, salt: u8) -> Namespace {
    let call = Registry::createNamespaceCall {
        salt: B256::repeat_byte(salt),
        minRetention: MIN_RETENTION,
        dispersers: Vec::new(),
    };
    Namespace::from(fixture.chain.must(OWNER, fixture.registry, &call).0)
}

fn set_min_retention(fixture: &mut Fixture, namespace: Namespace, seconds: u64) {
    let call = Registry::setMinRetentionCall { namespace: namespace.to_bytes().into(), minRetention: seconds };
    fixture.chain.must(OWNER, fixture.registry, &call);
}

fn namespace_record(min_retention: u64, next_min_retention: Option<(u64, u64)>) -> NamespaceRecord {
    NamespaceRecord { owner: Address::ZERO, dispersers: Vec::new(), min_retention, next_min_retention, hold_until: 0 }
}

fn strange_points() -> Vec<[u8; 128]> {
    let inputs = all("eip2537/fail-pairing_check_bls.json");
    let firsts = inputs.iter().filter_map(|vector| {
        let input = hex::decode(vector["Input"].as_str().expect("hex")).expect("hex");
        input.first_chunk().copied()
    });
    let points: Vec<_> = firsts.chain([[0; 128]]).collect();
    assert!(points.len() > 10, "the vectors have points to try");
    points
}
