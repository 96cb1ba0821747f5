//! The gRPC services, and the gate before them.

mod calls;
mod gate;
mod places;
mod rates;
mod shed;

mod budget;
mod certificates;
mod incoming;
mod outcome;
mod outgoing;
mod shared;
mod shelf;

mod body;
mod dispersal;
mod node;
mod retrieval;
mod status;

pub(crate) use budget::Budget;
#[cfg(test)]
pub(crate) use calls::path_of;
pub(crate) use certificates::Certificates;
pub(crate) use dispersal::DispersalService;
pub(crate) use gate::Gate;
pub(crate) use node::NodeService;
pub(crate) use places::Places;
pub(crate) use rates::Rates;
pub(crate) use retrieval::RetrievalService;
pub(crate) use shared::{Host, Shared};
pub(crate) use shed::{REPORT, Shed};
pub(crate) use shelf::Shelf;
