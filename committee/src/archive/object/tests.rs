use super::*;
use crate::{
    archive::forge,
    tests::{SLOT, World, coded, index},
};
use holdfast_erasure::Dispersal;

fn objects() -> Vec<Vec<u8>> {
    let world = World::new();
    let blobs = [coded(1, 1, Dispersal::ByShard), coded(30_000, 2, Dispersal::ByPayload)];
    let shards = blobs.iter().map(|of| forge(&world.statement(of), &world.disperser, of, index(of), SLOT));
    let mut objects: Vec<Vec<u8>> = shards.collect();
    let whole = Head::decode(&objects[1], objects[1].len() as u64).expect("an object");
    let whole = Head { index: None, length: 30_000, ..whole };
    objects.push(whole.encode(blobs[1].payload()).to_vec());
    objects
}

#[test]
fn an_object_says_what_was_put_into_it_and_its_data_is_checked() {
    for object in objects() {
        let head = Head::decode(&object, object.len() as u64).expect("an object");
        let from = PREFIX + Head::length_in(&object).expect("an object");
        let data = Bytes::copy_from_slice(&object[from..]);
        head.accept(&data).expect("its own data");
        assert_eq!(head.encode(&data), object);
        let mut flipped = data.to_vec();
        flipped[data.len() / 2] ^= 1;
        head.accept(&flipped.into()).expect_err("other data");
        Head::decode(&object, object.len() as u64 - 1).expect_err("cut");
        Head::decode(&object[..from - 1], object.len() as u64).expect_err("a head that is cut off");
    }
}

#[test]
fn promises_about_another_shard_or_of_no_whole_payload_leave_room_for_those_about_the_object() {
    let (world, encoded) = (World::new(), coded(30_000, 2, Dispersal::ByPayload));
    let statement = world.statement(&encoded);
    let own = forge(&statement, &world.disperser, &encoded, index(&encoded), SLOT);
    let own = Head::decode(&own, own.len() as u64).expect("an object");
    let of = |slot: u16, hours: u64, whole_until: u64| {
        let mut signed = own.promises[0].clone();
        signed.promise.slot = slot;
        signed.promise.statement.retain_until += hours * 3600;
        signed.promise.statement.whole_until = whole_until;
        signed
    };
    let others = (1..=1200).map(|hours| of(SLOT + 1, hours, 0));
    let all: Vec<Signed> = others.chain([of(SLOT, 0, statement.whole_until)]).collect();
    for (index, length) in [(own.index, own.length), (None, 30_000)] {
        let head = Head::new(index, length, own.commitment.clone(), all.clone());
        assert_eq!(head.promises.len(), MOST_PROMISES);
        assert_eq!(head.promises[0].promise.slot, SLOT, "what the object is kept for");
        assert_eq!(head.promises[1].promise.statement.retain_until, statement.retain_until + 1200 * 3600);
    }
}

#[test]
fn fuzz_archived_objects() {
    holdfast_fuzz::Target::new("archived objects", objects()).cases(6000).run(|bytes| {
        let all = bytes.len() as u64;
        if let Ok(head) = Head::decode(bytes, all) {
            let from = PREFIX + Head::length_in(bytes).expect("decoded");
            assert_eq!(head.encode(&bytes[from..]), bytes, "one encoding");
        }
    });
}
