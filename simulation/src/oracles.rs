//! What must be true, whatever has gone wrong.

use std::sync::Arc;

use holdfast_committee::store::{IfMissing, Store};
use holdfast_erasure::{AcceptedShard, BlobId, decode};

use crate::{
    ledger::{ORIGINAL, code},
    member::Seat,
    nature,
    promises::{Attested, Certified, Promises},
    world::{World, name},
};

/// A promise that ends within this time is not looked at: clocks differ.
const NEARLY_OVER: u64 = 3600;

/// The shard that a store holds, if it is the blob's.
fn held(store: &Store, id: &BlobId, index: u16) -> Option<AcceptedShard> {
    let commitment = store.commitment(id).ok().flatten()?;
    commitment.accept(code().index(index).ok()?, store.shard(id, index).ok()?).ok()
}

fn index_of(certified: &Certified, slot: u16) -> u16 {
    code().shard_of_slot(slot, &certified.certificate.statement.blob.shards_root).get()
}

/// What is still to be repaired: a member that runs, and lacks its shard of a certified blob that is still promised.
pub(crate) fn lacking(world: &World) -> Option<String> {
    let promises = world.promises.borrow();
    for certified in &promises.certified {
        let statement = &certified.certificate.statement;
        if statement.retain_until <= nature::unix() + NEARLY_OVER {
            continue;
        }
        let id = statement.blob.id();
        for (slot, number) in (0..).zip(world.numbers(statement.epoch)) {
            let seat = &world.seats[usize::from(number)];
            if world.lies(number) {
                continue;
            }
            let Some(running) = seat.running() else { return Some(format!("{} does not run", seat.name)) };
            if held(running.store(), &id, index_of(certified, slot)).is_none() {
                return Some(format!("{} lacks its shard of {}", seat.name, name(id)));
            }
        }
    }
    None
}

/// Nothing was dropped before the last day of what was in it had ended.
pub(crate) fn dropped_early(world: &World, seat: &Seat) {
    for (bucket, at) in seat.dropped.take() {
        let day = bucket.split_once('-').and_then(|(_, day)| day.parse::<u64>().ok());
        if day.is_none_or(|day| at < (day + 1) * 86_400) {
            world.violated(format_args!("{} dropped {bucket} at {at}", seat.name));
        }
    }
}

/// After the power was cut everywhere: all that was signed is there, and every certificate can be read from any `k` that are
/// left of its signers.
pub(crate) fn nothing_lost(world: &World) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let stores: Vec<Option<Store>> = world.seats.iter().map(|seat| reopened(world, seat)).collect();
        let promises = world.promises.borrow();
        let now = nature::unix() + NEARLY_OVER;
        for (seat, store) in world.seats.iter().zip(&stores) {
            if let Some(store) = store {
                signed_is_there(world, &promises, seat, store);
            }
        }
        for certified in promises.certified.iter().filter(|of| of.certificate.statement.retain_until > now) {
            survivors(world, certified, &stores);
        }
    });
}

/// After the power of one machine was cut: all that was signed there is there, unless more was done to its disk.
pub(crate) fn nothing_signed_lost(world: &World, seat: &Seat) {
    if world.is_harmed(seat.number) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        if let Some(store) = reopened(world, seat) {
            signed_is_there(world, &world.promises.borrow(), seat, &store);
        }
    });
}

/// Promise and shard of whatever this member has signed and is still to keep.
fn signed_is_there(world: &World, promises: &Promises, seat: &Seat, store: &Store) {
    let now = nature::unix() + NEARLY_OVER;
    let signed = promises.attested.iter().filter(|of| of.member == seat.number && !of.excused);
    for Attested { statement, digest, .. } in signed.filter(|of| of.statement.retain_until > now) {
        let id = statement.blob.id();
        if !matches!(store.promise(&id, digest), Ok(Some(_))) {
            world.violated(format_args!("{} has signed for {} and does not know it", seat.name, name(id)));
        }
        let slot = world.numbers(statement.epoch).iter().position(|number| *number == seat.number);
        let slot = slot.and_then(|slot| u16::try_from(slot).ok()).unwrap_or_default();
        let index = code().shard_of_slot(slot, &statement.blob.shards_root).get();
        if !world.lies(seat.number) && held(store, &id, index).is_none() {
            world.violated(format_args!("{} has signed for {} and has not got its shard", seat.name, name(id)));
        }
    }
}

fn reopened(world: &World, seat: &Seat) -> Option<Store> {
    match Store::open_on(Arc::new(seat.disk.image()), &seat.identity(), IfMissing::Refuse) {
        Ok(store) => Some(store),
        // One that came to no committee has never been started.
        Err(holdfast_committee::store::Error::NoStore { .. }) if !world.has_member(seat.number) => None,
        Err(error) => {
            world.violated(format_args!("{} does not start after a power cut: {error}", seat.name));
            None
        }
    }
}

/// A certificate stands as many bad signers as its epoch allows: whoever is left, the payload is.
fn survivors(world: &World, certified: &Certified, stores: &[Option<Store>]) {
    let statement = &certified.certificate.statement;
    let id = statement.blob.id();
    let numbers = world.numbers(statement.epoch);
    let slots = certified.certificate.signer_slots();
    let honest: Vec<u16> = slots.into_iter().filter(|slot| !world.lies(numbers[usize::from(*slot)])).collect();
    let shards: Vec<(u16, Option<AcceptedShard>)> = honest
        .iter()
        .map(|slot| {
            let store = stores[usize::from(numbers[usize::from(*slot)])].as_ref();
            (*slot, store.and_then(|store| held(store, &id, index_of(certified, *slot))))
        })
        .collect();
    const { assert!(ORIGINAL == 2, "sets of survivors are pairs") };
    for (at, (one, first)) in shards.iter().enumerate() {
        for (other, second) in &shards[at + 1..] {
            let pair: Vec<AcceptedShard> = [first, second].into_iter().flatten().cloned().collect();
            let commitment = stores.iter().flatten().find_map(|store| store.commitment(&id).ok().flatten());
            let read = commitment.and_then(|commitment| decode(&commitment, &pair).ok());
            if read.as_ref() != Some(&certified.payload) {
                world.violated(format_args!("{} is not left with slots {one} and {other}", name(id)));
            }
        }
    }
}
