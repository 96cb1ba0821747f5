//! What was published, as nodes tell it that are poor, or lie.

use holdfast_certificate::{Certificate, Namespace};
use holdfast_l1::{ChainRegistry, Error, ReaderOptions};
use holdfast_registry::{Publication, Since};
use serde_json::{Value, json};

use super::{
    proxy::{Plan, Proxy},
    world::{World, eager},
};
use crate::{fixture::hours_after, node::quantity};

/// Three certificates of one blob, published in as many blocks with others in between, and final.
async fn published(world: &World) -> Vec<Certificate> {
    let reader = ChainRegistry::connect(&world.chain.url(), world.address()).await.unwrap();
    let record = reader.epoch(world.epoch).await.unwrap();
    let now = world.node.time().await;
    let mut certificates = Vec::new();
    for hours in [48, 72, 96] {
        let certificate = world.members.certificate(&record, world.namespace, hours_after(now, hours));
        world.publisher.publish(&certificate).await.unwrap();
        world.node.pass(100).await;
        certificates.push(certificate.into_inner());
    }
    world.node.finalize().await;
    certificates
}

/// What a node makes of the events that it gives.
type Lie = fn(&mut Value);

/// All pages.
async fn all(registry: &ChainRegistry, namespaces: &[Namespace], since: Since) -> Result<Vec<Publication>, Error> {
    let (mut events, mut since) = (Vec::new(), since);
    loop {
        let page = registry.published(namespaces, since).await?;
        let more = page.is_more();
        events.extend(page.events);
        since = Since::Block(page.next);
        if !more {
            return Ok(events);
        }
    }
}

fn is_wider_than(params: &Value, blocks: u64) -> bool {
    quantity(&params[0]["toBlock"]) - quantity(&params[0]["fromBlock"]) >= blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn publications_are_read_in_order_and_with_their_certificates_also_from_a_node_that_refuses_wide_ranges() {
    let world = World::start().await;
    let certificates = published(&world).await;
    let node = world.proxy().await;
    let registry = world.reader([&node], eager()).await.unwrap();
    let events = all(&registry, &[world.namespace], Since::Block(0)).await.unwrap();
    assert_eq!(node.asked("eth_getLogs"), 1, "all blocks at once");
    assert_eq!(events.len(), 3);
    for (event, certificate) in events.iter().zip(&certificates) {
        assert_eq!(event.statement, certificate.digest(&registry.domain()));
        assert_eq!((event.blob_id, event.namespace), (certificate.statement.blob.id(), world.namespace));
        assert_eq!((event.epoch, event.retain_until), (world.epoch, certificate.statement.retain_until));
        assert_eq!(registry.published_certificate(event).await.unwrap().as_ref(), Some(certificate));
    }
    assert!(events.is_sorted_by_key(|event| event.position));
    // From a block, from a time, and of all namespaces or another.
    let second = events[1].position.block;
    assert_eq!(all(&registry, &[], Since::Block(second)).await.unwrap(), events[1..]);
    assert_eq!(all(&registry, &[Namespace::from([9; 32])], Since::Block(0)).await.unwrap(), []);
    let block = world.node.call("eth_getBlockByNumber", json!([format!("{second:#x}"), false])).await;
    let time = quantity(&block["timestamp"]);
    assert_eq!(all(&registry, &[], Since::Time(time)).await.unwrap(), events[1..]);
    assert_eq!(all(&registry, &[], Since::Time(time + 1)).await.unwrap(), events[2..]);
    assert_eq!(all(&registry, &[], Since::Time(u64::MAX)).await.unwrap(), []);
    assert_eq!(all(&registry, &[], Since::Time(0)).await.unwrap(), events);
    // Nodes have many words for it.
    for refusal in [
        || Plan::Error(-32602, "query exceeds max block range 3"),
        || Plan::Error(-32005, "query returned more than 10000 results"),
        || Plan::Status(413),
    ] {
        let url = world.chain.url();
        let poor = Proxy::scripted(&url, move |method, params| match method {
            "eth_getLogs" if is_wider_than(params, 3) => refusal(),
            _ => Plan::Honest,
        });
        let poor = poor.await;
        let registry = world.reader([&poor], eager()).await.unwrap();
        assert_eq!(all(&registry, &[], Since::Block(0)).await.unwrap(), events);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_found_wherever_a_contract_was_given_it_and_no_other_is_taken_for_it() {
    let world = World::start().await;
    let certificates = published(&world).await;
    let node = world.proxy().await;
    let registry = world.reader([&node], eager()).await.unwrap();
    let events = all(&registry, &[], Since::Block(0)).await.unwrap();
    let whole = |certificate: &Certificate| alloy::hex::encode(certificate.encode_l1());
    let sent = |input: String| {
        move |method: &str, _: &Value| match method {
            "eth_getTransactionByHash" => Plan::Result(json!({ "input": input })),
            _ => Plan::Honest,
        }
    };
    // Among others, in the data of a contract of somebody's own.
    let among = certificates.iter().map(|it| format!("c0ffee{}", whole(it))).collect::<String>();
    node.set(sent(format!("0xdeadbeef{among}0000")));
    for (event, certificate) in events.iter().zip(&certificates) {
        assert_eq!(registry.published_certificate(event).await.unwrap().as_ref(), Some(certificate));
    }
    // Another statement's, one that is cut off, and nothing.
    let mut cut = whole(&certificates[0]);
    cut.truncate(cut.len() - 2);
    for input in [whole(&certificates[1]), cut, String::new()] {
        node.set(sent(format!("0x{input}")));
        assert_eq!(registry.published_certificate(&events[0]).await.unwrap(), None);
    }
    // A node that keeps no transactions by their hash does not say that there is none.
    node.set(|method, _| if method == "eth_getTransactionByHash" { Plan::Result(Value::Null) } else { Plan::Honest });
    registry.published_certificate(&events[0]).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hides_or_makes_up_a_publication_is_outvoted_by_two_and_stops_the_reading_of_two() {
    let world = World::start().await;
    published(&world).await;
    let [first, liar, third] = world.three().await;
    let hides = |logs: &mut Value| drop(logs.as_array_mut().unwrap().remove(1));
    let makes_up = |logs: &mut Value| {
        let mut made_up = logs[1].clone();
        (made_up["logIndex"], made_up["topics"][1]) = ("0x99".into(), format!("0x{}", "ab".repeat(32)).into());
        logs.as_array_mut().unwrap().push(made_up);
    };
    let of_another = |logs: &mut Value| logs[1]["address"] = format!("0x{}", "ab".repeat(20)).into();
    let elsewhere = |logs: &mut Value| logs[1]["blockNumber"] = "0xffffff".into();
    let taken_back = |logs: &mut Value| logs[1]["removed"] = true.into();
    let twice = |logs: &mut Value| {
        let again = logs[1].clone();
        logs.as_array_mut().unwrap().push(again);
    };
    let lies: [(Lie, bool); 6] =
        [(hides, true), (makes_up, true), (of_another, false), (elsewhere, false), (taken_back, false), (twice, false)];
    let honest = world.reader([&first], eager()).await.unwrap();
    let events = all(&honest, &[], Since::Block(0)).await.unwrap();
    for (lie, alone_it_is_believed) in lies {
        liar.set(move |method, _| match method {
            "eth_getLogs" => Plan::Alter(Box::new(lie)),
            _ => Plan::Honest,
        });
        let three = world.reader([&first, &liar, &third], eager()).await.unwrap();
        assert_eq!(all(&three, &[], Since::Block(0)).await.unwrap(), events);
        let two = world.reader([&first, &liar], eager()).await.unwrap();
        all(&two, &[], Since::Block(0)).await.unwrap_err();
        let one = world.reader([&liar], eager()).await.unwrap();
        assert_eq!(all(&one, &[], Since::Block(0)).await.is_ok_and(|it| it != events), alone_it_is_believed);
    }
    // Without events everything else is read as before.
    liar.set(|method, _| if method == "eth_getLogs" { Plan::Refuse("no logs here") } else { Plan::Honest });
    let poor = world.reader([&liar], ReaderOptions::default()).await.unwrap();
    all(&poor, &[], Since::Block(0)).await.unwrap_err();
    poor.namespace(&world.namespace).await.unwrap();
}
