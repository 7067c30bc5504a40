//! The roles of the inputs of a traced function.

use crate::graph::NodeId;

/// The inputs of a traced function, in the order of the arguments.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    pub(super) x: Vec<NodeId>,
    pub(super) y: Vec<NodeId>,
    pub(super) data: Vec<NodeId>,
    pub(super) labels: Vec<NodeId>,
    /// For tensors without their zero columns: the numbers of the kept columns.
    pub(super) columns: Vec<NodeId>,
    pub(super) batch: Option<NodeId>,
}
