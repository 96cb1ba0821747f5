//! What one namespace says of a blob that is also another's.

use futures::{StreamExt as _, stream};
use holdfast_proto::v1::{self, store_shard_request::Part};
use holdfast_transport::chunks;

use crate::{
    calls::ask,
    siege::Siege,
    support::{MIB, noise},
};

#[test]
fn a_hundred_and_one_statements_of_another_namespace() {
    let siege = Siege::begin();
    let (id, payload) = siege.put("hidden behind others");
    let other = siege.other();
    let encoded = other.coded(&payload);
    assert_eq!(encoded.id().as_bytes()[..], id[..]);
    // Kept for longer than ours, each for another time; after the first one the header is enough.
    let shard = encoded.shard(encoded.commitment().parameters().shard_of_slot(0, &encoded.blob().shards_root));
    let mut client = siege.dispersal(90);
    for number in 0..101 {
        let header = other.header(&encoded, 30 * 24 + number);
        let parts = std::iter::once(Part::Header(header)).chain(chunks(shard.clone()).map(Part::Chunk));
        let messages: Vec<_> = parts.map(|part| v1::StoreShardRequest { part: Some(part) }).collect();
        siege.strangers.block_on(client.store_shard(stream::iter(messages))).expect("its own namespace takes it");
    }
    let request = v1::GetBlobRequest { blob_id: id.clone(), ..Default::default() };
    let told = siege.strangers.block_on(siege.retrieval(91).get_blob(request)).unwrap().into_inner();
    assert_eq!(told.statements.len(), 100);
    let ours = |signed: &v1::SignedStatement| {
        signed
            .statement
            .as_ref()
            .is_some_and(|statement| statement.namespace[..] == siege.world.namespace.as_bytes()[..])
    };
    let first = &told.statements[0];
    assert!(ours(first) && !first.certificate.is_empty(), "the certified one comes first");
    // And whoever asks for such a blob again and again takes nobody's turn.
    let request = v1::GetBlobRequest { blob_id: id, ..Default::default() };
    for last in 0..4 {
        siege.strangers.spawn(ask(siege.member, 92 + last, "/holdfast.v1.Retrieval/GetBlob", request.clone()));
    }
    siege.endure("GetBlob with 100 statements");
}

/// Copies of a blob that a renewal by a day makes, each in its own day's files.
#[test]
fn eighty_extensions_of_one_blob_by_a_day() {
    const EXTENSIONS: u64 = 80;
    let siege = Siege::begin();
    let encoded = siege.world.coded(&noise(MIB, 99));
    let shard = encoded.shard(encoded.commitment().parameters().shard_of_slot(0, &encoded.blob().shards_root));
    let mut client = siege.dispersal(98);
    let mut extended = 0;
    for day in 0..EXTENSIONS {
        let header = siege.world.header(&encoded, 48 + 24 * day);
        let parts = std::iter::once(Part::Header(header)).chain(chunks(shard.clone()).map(Part::Chunk));
        let messages: Vec<_> = parts.map(|part| v1::StoreShardRequest { part: Some(part) }).collect();
        extended += u64::from(siege.strangers.block_on(client.store_shard(stream::iter(messages))).is_ok());
    }
    let (written, each) = (siege.written(), shard.len() as u64);
    eprintln!("{extended} extensions of {each} bytes wrote {} MiB", written >> 20);
    assert_eq!(extended, EXTENSIONS, "its quota is not used up by them");
    // Each copy goes to the log and to its day's file, and is charged as what it is: data for as long as it lies there.
    assert!(written < 3 * (EXTENSIONS + 1) * each, "{written} bytes were written");
    siege.endure("80 extensions by a day");
}

#[test]
fn a_shard_that_is_stored_again_and_again() {
    let siege = Siege::begin();
    let encoded = siege.world.coded(&noise(16 * MIB, 55));
    let shard = encoded.shard(encoded.commitment().parameters().shard_of_slot(0, &encoded.blob().shards_root));
    let header = siege.world.header(&encoded, 72);
    let parts = std::iter::once(Part::Header(header.clone())).chain(chunks(shard).map(Part::Chunk));
    let messages: Vec<_> = parts.map(|part| v1::StoreShardRequest { part: Some(part) }).collect();
    siege.strangers.block_on(siege.dispersal(99).store_shard(stream::iter(messages))).expect("stored");
    // From the header alone, as fast as it is answered, by sixteen at once: the member reads 16 MiB back and hashes them each time.
    for number in 0..16u8 {
        let (mut client, header) = (siege.dispersal(110 + number % 4), header.clone());
        siege.strangers.spawn(async move {
            loop {
                let part = v1::StoreShardRequest { part: Some(Part::Header(header.clone())) };
                let open = stream::iter([part]).chain(stream::pending());
                let _answer = client.store_shard(open).await;
            }
        });
    }
    siege.endure("a shard of 16 MiB that is stored again and again");
}
