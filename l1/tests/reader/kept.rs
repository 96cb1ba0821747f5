//! Nodes that do not keep the connections that their callers keep.

use holdfast_l1::ChainRegistry;

use super::world::{World, eager};
use crate::dropping::{Dropping, Manner};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_drops_kept_connections_is_asked_again_on_a_new_one() {
    let world = World::start().await;
    for manner in [Manner::AfterAnswer, Manner::AtSecondRequest, Manner::InSecondAnswer] {
        let node = Dropping::before(&world.chain.url(), manner).await;
        let registry = ChainRegistry::connect_with(&[&node.url], world.address(), eager()).await.unwrap();
        for _ in 0..5 {
            world.advance().await;
            registry.epoch(world.epoch).await.unwrap();
            registry.namespace(&world.namespace).await.unwrap();
            assert_eq!(registry.finality().block, world.node.block_number("finalized").await);
            assert_eq!(registry.finality().failure, None, "{manner:?}");
        }
        assert!(node.drops() > 5, "{manner:?}: {} connections were dropped", node.drops());
    }
}
