//! What runs when: whole tensors and blocks of rows in turn.
//!
//! A reduction over the rows is known only when all blocks are done, so that what uses it, in rows or
//! not, belongs to a later phase.

use super::row_axes::RowAxes;
use crate::graph::{DType, Graph, NodeId, Op};

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

/// For each node how and in which phase it is computed. Even phases run whole tensors, odd ones
/// blocks of rows.
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

fn kind(graph: &Graph, rows: &RowAxes, id: NodeId) -> Kind {
    let node = graph.node(id);
    let own = rows.of(id);
    let of = |place: usize| rows.of(node.operands[place]);
    // Has the operand rows, though not along exactly one axis? Then they cannot be cut.
    let row = |holds: bool| if holds { Kind::Row } else { Kind::Whole };
    match &node.op {
        Op::Input(_) | Op::Constant(_) => Kind::Given,
        // A view of the argument: there is no copy of indices, block by block or whole.
        Op::Reshape(_) | Op::StopGradient if node.dtype == DType::Index => Kind::Whole,
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select | Op::StopGradient => {
            row(own.is_some() && node.operands.iter().all(|&a| rows.of(a) == own))
        }
        Op::Reshape(_) | Op::Transpose(_) => row(own.is_some() && of(0).is_some()),
        // From one row to all is fine, too: the axis is repeated.
        Op::Broadcast(_) => row(own.is_some()),
        Op::Slice { axis, .. } | Op::Pad { axis, .. } => {
            row(own.is_some_and(|own| own != *axis) && of(0) == own)
        }
        Op::Concat(axis) => {
            row(own.is_some_and(|own| own != *axis) && of(0) == own && of(1) == own)
        }
        Op::Sum(axes) => match of(0) {
            Some(axis) if axes.contains(&axis) => Kind::Reduction,
            Some(axis) => row(own == Some(axis)),
            None => Kind::Whole,
        },
        Op::Max(axes) => row(own.is_some() && own == of(0) && !axes.contains(&own.unwrap_or(0))),
        Op::TakeRows => row(own == Some(0) && of(0).is_none() && of(1) == Some(0)),
        Op::AddRows(_) => Kind::Whole,
        Op::Pick | Op::Place(_) => row(own.is_some() && own == of(0) && own == of(1)),
        Op::MatMul { left, right } => {
            let end = graph.shape(node.operands[0]).len();
            let (k, l) = (
                if *left { end - 2 } else { end - 1 },
                if *right { end - 1 } else { end - 2 },
            );
            match (of(0), of(1), own) {
                (Some(a), Some(b), None) if a == k && b == l => Kind::Reduction,
                (Some(a), None, Some(_)) if a != k && a + 2 >= end => Kind::Row,
                (None, Some(b), Some(_)) if b != l && b + 2 >= end => Kind::Row,
                _ => Kind::Whole,
            }
        }
    }
}
