//! The registry's judgement of a certificate, made here: the same rules in the same order, without a node.

use holdfast_certificate::{Certificate, HOUR};

use crate::{
    records::{EpochRecord, NamespaceRecord},
    status::Status,
};

/// What is known of the epoch that a certificate names.
///
/// [`Registry::epoch`](crate::Registry::epoch) knows no cancelled epoch: it has [`Error::UnknownEpoch`](crate::Error::UnknownEpoch)
/// for it as for one that never was, since neither has ever been in force or will be. `RegistryView` of `holdfast-l1` tells
/// the two apart. Taking one for the other changes the reason of a refusal, never a refusal into an acceptance.
#[derive(Debug, Clone, Copy)]
pub enum NamedEpoch<'a> {
    /// There is none of this number.
    Unknown,
    /// It was cancelled before it was active, and never will be.
    Cancelled,
    /// This one.
    Known(&'a EpochRecord),
}

/// What `CommitteeRegistry.verify` says of a certificate in the L1 encoding as of unix time `at`, the timestamp of the
/// block that carries it: not a time to come, of which L1 says NOT_YET.
///
/// `epoch` is the one that the certificate names; `namespace` likewise, `None` if there was none at `at`, and else as it
/// was at `at` or read before, with the change that was pending. The tests give thousands of damaged and forged
/// certificates to this function and to the contract, and the two never differ.
#[must_use]
pub fn verdict(certificate: &[u8], at: u64, epoch: NamedEpoch<'_>, namespace: Option<&NamespaceRecord>) -> Status {
    let Some(fields) = Fields::read(certificate).filter(Fields::are_well_formed) else { return Status::Malformed };
    let epoch = match epoch {
        NamedEpoch::Unknown => return Status::UnknownEpoch,
        NamedEpoch::Cancelled => return Status::EpochCancelled,
        NamedEpoch::Known(epoch) => epoch,
    };
    if at < epoch.active_from {
        return Status::NotYet;
    }
    if epoch.accepted_until.is_some_and(|until| at >= until) {
        return Status::EpochClosed;
    }
    if epoch.revoked_at.is_some_and(|revoked| at >= revoked) {
        return Status::Revoked;
    }
    let parameters = epoch.committee.parameters();
    if (fields.original_shards, fields.total_shards) != (parameters.original_shards(), parameters.total_shards())
        || fields.payload_length > parameters.max_payload()
    {
        return Status::WrongParameters;
    }
    let Some(namespace) = namespace else { return Status::UnknownNamespace };
    // In u128, as the contract's words do not overflow.
    if u128::from(fields.retain_until) < u128::from(at) + u128::from(namespace.min_retention_at(at)) {
        return Status::RetentionTooShort;
    }
    if fields.count_signers() < u32::from(parameters.threshold()) {
        return Status::BelowThreshold;
    }
    // What is left is the signature: a point that is none, one outside the subgroup, or one that does not verify.
    match Certificate::decode_l1(certificate).and_then(|decoded| decoded.verify(&epoch.committee)) {
        Ok(_) => Status::Ok,
        Err(_) => Status::BadSignature,
    }
}

/// What must be right of a certificate alone, read without believing any of it.
struct Fields<'a> {
    payload_length: u32,
    has_digest: bool,
    original_shards: u16,
    total_shards: u16,
    whole_until: u64,
    retain_until: u64,
    signers: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Fields<'a> {
    /// None for another length or version.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() != Certificate::L1_BYTES {
            return None;
        }
        let mut rest = bytes;
        let version = take::<1>(&mut rest)?;
        let (_namespace, _epoch) = (take::<32>(&mut rest)?, take::<8>(&mut rest)?);
        let payload_length = u32::from_be_bytes(take(&mut rest)?);
        let has_digest = take::<32>(&mut rest)? != [0; 32];
        let original_shards = u16::from_be_bytes(take(&mut rest)?);
        let total_shards = u16::from_be_bytes(take(&mut rest)?);
        let (_shards_root, _fingerprints_hash) = (take::<32>(&mut rest)?, take::<32>(&mut rest)?);
        let whole_until = u64::from_be_bytes(take(&mut rest)?);
        let retain_until = u64::from_be_bytes(take(&mut rest)?);
        let (signers, signature) = rest.split_at_checked(32)?;
        let fields = Self {
            payload_length,
            has_digest,
            original_shards,
            total_shards,
            whole_until,
            retain_until,
            signers,
            signature,
        };
        (version == [1]).then_some(fields)
    }

    fn are_well_formed(&self) -> bool {
        self.payload_length != 0
            && self.whole_until.is_multiple_of(HOUR)
            && self.retain_until.is_multiple_of(HOUR)
            && (self.whole_until != 0) == self.has_digest
            && self.whole_until <= self.retain_until
            && self.bits_of_signers() <= u32::from(self.total_shards)
            && self.signature.chunks(COORDINATE_BYTES).all(is_in_field)
            && self.signature.iter().any(|byte| *byte != 0)
    }

    fn count_signers(&self) -> u32 {
        self.signers.iter().map(|byte| byte.count_ones()).sum()
    }

    /// One more than the highest slot that signed: the numbers of a certificate need not be those of any committee.
    fn bits_of_signers(&self) -> u32 {
        let leading = self.signers.iter().position(|byte| *byte != 0).map_or(256, |zeros| {
            8 * u32::try_from(zeros).expect("an index below 32") + self.signers[zeros].leading_zeros()
        });
        256 - leading
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

/// Bytes of a coordinate in EIP-2537 layout: 16 zeros, then a number below [`MODULUS`].
const COORDINATE_BYTES: usize = 64;

/// The modulus of BLS12-381's base field.
const MODULUS: [u8; 48] = [
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7, 0x64, 0x77, 0x4b,
    0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24, 0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53,
    0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab,
];

fn is_in_field(coordinate: &[u8]) -> bool {
    let (padding, number) = coordinate.split_at(COORDINATE_BYTES - MODULUS.len());
    padding.iter().all(|byte| *byte == 0) && number < &MODULUS[..]
}
