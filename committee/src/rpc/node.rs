//! `Node`: what a member says of itself.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_proto::v1::{self, node_server};
use holdfast_registry::Finality;
use tonic::{Request, Response, Status, async_trait};

use super::{shared::Shared, status::without_paths};
use crate::{config::Policy, operator::DRAINED, pen, process, store};

/// The version of docs/protocol.md.
const PROTOCOL: u32 = 1;

/// The most namespaces that an answer names.
const MAX_NAMESPACES: usize = 1000;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct NodeService(pub(crate) Arc<Shared>);

#[async_trait]
impl node_server::Node for NodeService {
    async fn get_info(&self, _: Request<v1::GetInfoRequest>) -> Result<Response<v1::GetInfoResponse>, Status> {
        Ok(Response::new(self.info().await))
    }
}

impl NodeService {
    async fn info(&self) -> v1::GetInfoResponse {
        let attestor = &self.0.attestor;
        let time = attestor.clock.now();
        let active = match attestor.registry.active_epoch(time).await {
            Ok(record) => Some(record),
            Err(holdfast_registry::Error::NoActiveEpoch { .. }) => None,
            Err(error) => {
                // What this member knows of itself is worth most when L1 is out of reach. The registry itself has logged why.
                tracing::debug!(%error, "node.active_epoch");
                None
            }
        };
        let usage = attestor.store.usage();
        let (descriptors, descriptors_limit) = process::usage();
        let domain = attestor.domain();
        let store = &attestor.store;
        let finality = attestor.registry.finality();
        // All of it is in this member's log: it may name paths of the host, or L1's nodes.
        let disabled = store.writes_disabled().borrow().as_ref().map(|disabled| {
            let reason = without_paths(&disabled.reason);
            if disabled.outlook.is_empty() { reason } else { format!("{reason}; {}", disabled.outlook) }
        });
        let disabled = disabled.or_else(|| self.0.waits.borrow().as_deref().map(without_paths));
        let disabled = disabled.or_else(|| attestor.registry_too_old().map(without_paths));
        let disabled = disabled.or_else(|| attestor.pen.trouble().map(|_| pen::Error::Away.to_string()));
        let disabled = disabled.or_else(|| attestor.room().err().map(|error| without_paths(&error.to_string())));
        let disabled = disabled.or_else(|| attestor.check_clock(time).err().map(|error| error.to_string()));
        let disabled = disabled.or_else(|| self.0.operator.is_drained().then(|| DRAINED.to_owned()));
        v1::GetInfoResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL,
            public_key: Bytes::copy_from_slice(&attestor.public_key.to_bytes()),
            chain_id: domain.chain_id,
            registry: Bytes::copy_from_slice(domain.registry.as_bytes()),
            epoch: active.as_ref().map_or(0, |record| record.committee.epoch()),
            slot: active.and_then(|record| attestor.slot(&record.committee)).map(u32::from),
            time,
            blobs: usage.items,
            stored_bytes: usage.bytes,
            writes_disabled: disabled.unwrap_or_default(),
            store_id: Bytes::copy_from_slice(store.id().as_bytes()),
            store_lost_at: store.lost_at().unwrap_or_default(),
            damaged: store.damaged(),
            scrubbed_at: store.scrubbed_at(),
            l1: finality.map(view),
            policy: Some(policy(&attestor.policy)),
            repair: Some(self.0.repair.progress().into()),
            run_id: Bytes::copy_from_slice(self.0.repair.run_id()),
            twin: self.0.repair.twin().unwrap_or_default(),
            disk_budget: attestor.disk.budget(),
            archive: attestor.archive.as_ref().map(|archive| archive.view(time).into()),
            free_bytes: store::free(&self.0.host.data_dir).ok(),
            descriptors,
            descriptors_limit,
            tls: self
                .0
                .host
                .tls
                .as_ref()
                .map(|tls| v1::TlsView { pin: Bytes::copy_from_slice(&tls.pin()), not_after: tls.not_after() }),
        }
    }
}

fn policy(policy: &Policy) -> v1::Policy {
    let namespaces = policy.namespaces.iter().take(MAX_NAMESPACES);
    v1::Policy {
        max_retention: policy.max_retention.as_secs(),
        max_whole: policy.max_whole.as_secs(),
        namespace_quota: Bytes::copy_from_slice(&policy.namespace_quota().to_be_bytes()),
        namespaces: namespaces.map(|namespace| Bytes::copy_from_slice(namespace.as_bytes())).collect(),
    }
}

/// Without what only this member's log says: which nodes it asks, and what they answered.
fn view(finality: Finality) -> v1::L1View {
    v1::L1View {
        block: finality.block,
        block_time: finality.timestamp,
        confirmed_at: finality.read_at,
        stalled: finality.stalled,
        failing: finality.failure.is_some(),
        expired: finality.expired,
        dissenting_nodes: u32::try_from(finality.dissenters.len()).unwrap_or(u32::MAX),
    }
}
