//! What one namespace says of a blob that is also another's.

use futures::stream;
use holdfast_proto::v1::{self, store_shard_request::Part};
use holdfast_transport::chunks;

use crate::siege::Siege;

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
    let request = v1::GetBlobRequest { blob_id: id, ..Default::default() };
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
    siege.endure("101 statements of another namespace", 2);
}
