//! The contract and [`holdfast_contracts::verdict`] judge the same certificates, most of them damaged or forged, at the same
//! times, and never differ.

use std::sync::Arc;

use alloy::primitives::U256;
use holdfast_certificate::{
    Address, Attestation, Committee, CommitteeParameters, HOUR, Namespace, ProvenKey, SecretKey, Statement,
};
use holdfast_contracts::{EpochRecord, NamespaceRecord, Status, verdict};
use holdfast_erasure::{Digest, Parameters};

use crate::{
    abi::Registry,
    bls::all,
    fixture::{
        DELAY, Fixture, GOVERNANCE, GUARDIAN, MAX_PAYLOAD, MIN_RETENTION, SEVEN, SIGNATURE_OFFSET, Size, add_g1,
        bitmap, encode_l1, propose, register, secret_keys,
    },
};

const MUTATED: usize = 10_000;

/// Of the world's epochs the first closes, the second is revoked and then closes, the third is the last.
const REVOKED: u64 = 2;

#[test]
fn rust_and_solidity_agree_on_ten_thousand_mutated_certificates() {
    let world = World::new();
    let mut random = Random(0x1dfa_57e5_7a11_0ca7);
    let mut seen = [0usize; 11];
    for round in 0..MUTATED {
        let (certificate, at) = world.draw(&mut random);
        let here = world.judge(&certificate, at);
        let there = world.fixture.verdict_at(&certificate, at);
        assert_eq!(here, there, "round {round}, at {at}: {}", hex::encode(&certificate));
        seen[there as usize] += 1;
    }
    // Every rule was reached often enough to mean something, and so was OK.
    for (number, count) in (0u8..).zip(seen) {
        let status = Status::try_from(number).expect("a status");
        assert!(count >= MUTATED / 200, "{status} only {count} times: {seen:?}");
    }
}

/// A registry with epochs in every state, and the same told to [`verdict`].
struct World {
    fixture: Fixture,
    epochs: Vec<EpochRecord>,
    namespace: NamespaceRecord,
    keys: Vec<Vec<SecretKey>>,
    /// Off the curve, outside the subgroup or the field, at infinity; and the generator.
    strange_points: Vec<[u8; 128]>,
}

impl World {
    fn new() -> Self {
        let mut fixture = Fixture::new(SEVEN);
        let from = fixture.chain.time;
        let sizes = [SEVEN, Size { n: 9, t: 5, k: 3 }, Size { n: 4, t: 3, k: 1 }];
        let mut keys = vec![secret_keys(0, SEVEN.n)];
        let mut times = vec![from];
        for (number, size) in (1u16..).zip(&sizes[1..]) {
            let members = secret_keys(100 * number, size.n);
            let ids = members.iter().map(|key| register(&mut fixture.chain, fixture.registry, key)).collect();
            fixture.chain.must(GOVERNANCE, fixture.registry, &propose(ids, *size));
            keys.push(members);
            times.push(fixture.chain.time + DELAY);
            if u64::from(number) + 1 == REVOKED {
                fixture.chain.time += 3 * DELAY;
                fixture.chain.must(GUARDIAN, fixture.registry, &Registry::revokeEpochCall { epoch: REVOKED });
            }
        }
        let revoked_at = fixture.chain.time + 1;
        let record = |index: usize| EpochRecord {
            committee: Arc::new(committee(&fixture, index as u64 + 1, sizes[index], &keys[index])),
            active_from: times[index],
            active_until: times.get(index + 1).copied(),
            revoked_at: (index as u64 + 1 == REVOKED).then_some(revoked_at),
            endpoints: Vec::new(),
        };
        let epochs = (0..sizes.len()).map(record).collect();
        let strange_points = strange_points();
        Self { fixture, epochs, namespace: namespace_record(), keys, strange_points }
    }

    fn judge(&self, certificate: &[u8], at: u64) -> Status {
        // Too short to name anything: neither is asked for.
        let epoch = certificate.get(33..41).map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        let epoch = epoch.and_then(|epoch| self.epochs.iter().find(|record| record.committee.epoch() == epoch));
        let ours = certificate.get(1..33) == Some(self.fixture.namespace.as_bytes());
        verdict(certificate, at, epoch, ours.then_some(&self.namespace))
    }

    /// A certificate and a time to judge it at: good but for at most a few things.
    fn draw(&self, random: &mut Random) -> (Vec<u8>, u64) {
        let index = random.below(self.epochs.len());
        let record = &self.epochs[index];
        let at = self.time(record, random);
        let mut statement = self.statement(record, at);
        if random.one_in(3) {
            bend(&mut statement, at, random);
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
    fn time(&self, record: &EpochRecord, random: &mut Random) -> u64 {
        let ends = [record.active_until, record.revoked_at].into_iter().flatten();
        let marks: Vec<u64> = std::iter::once(record.active_from).chain(ends).collect();
        match random.below(12) {
            0 => random.next(),
            1 => 0,
            2 => u64::MAX,
            3..=5 => marks[random.below(marks.len())].saturating_sub(1) + random.below(3) as u64,
            _ => record.active_from + random.below(usize::try_from(DELAY).unwrap()) as u64,
        }
    }

    fn statement(&self, record: &EpochRecord, at: u64) -> Statement {
        let usual = self.fixture.statement();
        let parameters = record.committee.parameters();
        let blob = holdfast_erasure::Blob {
            original_shards: parameters.original_shards(),
            total_shards: parameters.total_shards(),
            ..usual.blob
        };
        let retain_until =
            at.saturating_add(MIN_RETENTION).checked_next_multiple_of(HOUR).unwrap_or(usual.retain_until);
        Statement { epoch: record.committee.epoch(), blob, retain_until, ..usual }
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
fn bend(statement: &mut Statement, at: u64, random: &mut Random) {
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
            let most = at.saturating_add(MIN_RETENTION);
            statement.retain_until = (most / HOUR * HOUR).saturating_sub(random.below(2) as u64 * HOUR);
        }
        11 => blob.payload_digest = Digest::from([7; 32]),
        12 => statement.whole_until = HOUR,
        _ => {
            blob.payload_digest = Digest::from([7; 32]);
            statement.whole_until = (statement.retain_until - HOUR).saturating_add(random.below(3) as u64 * HOUR);
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

fn namespace_record() -> NamespaceRecord {
    NamespaceRecord {
        owner: Address::ZERO,
        dispersers: Vec::new(),
        min_retention: MIN_RETENTION,
        next_min_retention: None,
        hold_until: 0,
    }
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

/// SplitMix64: the same certificates at every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// So many distinct slots of `n`.
    fn choose(&mut self, n: u16, count: u16) -> Vec<u16> {
        let mut slots: Vec<u16> = (0..n).collect();
        while slots.len() > usize::from(count) {
            slots.remove(self.below(slots.len()));
        }
        slots
    }
}
