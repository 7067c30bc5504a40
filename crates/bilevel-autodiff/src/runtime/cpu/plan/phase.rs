//! The order of computation: phases of whole tensors and of blocks of rows alternate.
//!
//! A reduction over the rows is known only when all blocks are done, so its users, in rows or not, belong to a later
//! phase.

use super::row_axes::RowAxes;
use crate::graph::{Graph, NodeId, Op};
use crate::rule::{self, Link};

/// How a node is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Not at all: an input or a constant.
    Given,
    /// As a whole.
    Whole,
    /// Row by row, in blocks.
    Row,
    /// Summed over the rows, block by block.
    Reduction,
}

/// For each node, how and in which phase it is computed. Even phases run whole tensors, odd phases blocks of rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Phases {
    pub(crate) kind: Vec<Kind>,
    pub(crate) phase: Vec<usize>,
}

impl Phases {
    pub(crate) fn of(graph: &Graph, rows: &RowAxes) -> Self {
        let count = graph.nodes().len();
        let mut phases = Self {
            kind: vec![Kind::Given; count],
            phase: vec![0; count],
        };
        for id in graph.ids() {
            let index = id.index();
            let kind = kind(graph, rows, id);
            phases.kind[index] = kind;
            phases.phase[index] = match kind {
                Kind::Given => 0,
                _ => graph
                    .node(id)
                    .operands
                    .iter()
                    .map(|operand| {
                        let (of, at) =
                            (phases.kind[operand.index()], phases.phase[operand.index()]);
                        let in_rows = matches!(kind, Kind::Row | Kind::Reduction);
                        match (of, in_rows) {
                            (Kind::Given, true) => 1,
                            (Kind::Given, false) => 0,
                            (Kind::Whole, true) | (Kind::Row | Kind::Reduction, false) => at + 1,
                            (Kind::Whole, false) | (Kind::Row, true) => at,
                            (Kind::Reduction, true) => at + 2,
                        }
                    })
                    .max()
                    .unwrap_or(0)
                    .max(usize::from(matches!(kind, Kind::Row | Kind::Reduction))),
            };
        }
        phases
    }

    pub(crate) fn kind(&self, id: NodeId) -> Kind {
        self.kind[id.index()]
    }

    pub(crate) fn phase(&self, id: NodeId) -> usize {
        self.phase[id.index()]
    }

    pub(crate) fn last(&self) -> usize {
        self.phase.iter().copied().max().unwrap_or(0)
    }
}

/// A node is computed row by row if each of its operands has the same rows, or has none and is the same for all rows.
/// It is a reduction if the rows are summed over.
fn kind(graph: &Graph, rows: &RowAxes, id: NodeId) -> Kind {
    let node = graph.node(id);
    if matches!(node.op, Op::Input(_) | Op::Constant(_)) {
        return Kind::Given;
    }
    let axes = rule::axes(graph, node);
    let of = |place: usize| rows.of(node.operands[place]);
    let summed = axes.summed.iter().any(|summed| {
        let mut parts = summed.axes.iter().enumerate();
        summed.in_parts && parts.all(|(place, &axis)| of(place) == Some(axis))
    });
    if summed {
        return Kind::Reduction;
    }
    let by_row = rows.of(id).is_some_and(|own| {
        let mut links = axes.links.iter().enumerate();
        links.all(|(place, links)| match links[own] {
            Link::Same(axis) => of(place) == Some(axis),
            Link::Repeated => of(place).is_none(),
            Link::Linked(_) | Link::Mixed => false,
        })
    });
    if by_row { Kind::Row } else { Kind::Whole }
}
