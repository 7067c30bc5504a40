//! Chooses the rows of a group and of a block so that their data stays in cache.

use super::phase::{Kind, Phases};
use super::row_axes::RowAxes;
use crate::graph::{Graph, NodeId, Op};
use crate::runtime::Options;
use crate::runtime::Partition;
use crate::runtime::cpu::limits::MOST_SHARED;

/// `partial` is the length of a group's partial sums, in numbers of `size` bytes each.
pub(super) fn choose(rows: usize, widths: Widths, partial: usize, size: usize) -> Partition {
    // Lanes are then whole vectors.
    const LANES: usize = 16;
    // Bytes that a second-level cache holds next to other data.
    const CACHE: usize = 400_000;
    let groups = match partial * size {
        0..=131_072 => 16,
        131_073..=4_194_304 => 8,
        _ => 4,
    };
    // The rows of a group share partial sums and the packing of wide products. But with few groups, all threads wait
    // for one that something else slows down.
    let least = 128;
    let group_rows = rows
        .div_ceil(groups)
        .max(least)
        .next_multiple_of(LANES)
        .min(rows.max(1));
    let target = if widths.computed <= 64 {
        (CACHE / (widths.given.max(1) * size)).clamp(64, 512)
    } else if widths.shared <= MOST_SHARED {
        // Only rows are packed: the values computed from one step to the next stay in the cache.
        (CACHE / (2 * widths.computed * size)).clamp(64, 320)
    } else {
        // Packing the other operand of a wide product costs less the more rows share it.
        320
    };
    let blocks = group_rows.div_ceil(target);
    let block_rows = group_rows
        .div_ceil(blocks)
        .next_multiple_of(LANES)
        .min(group_rows);
    Partition {
        rows,
        group_rows,
        block_rows,
    }
}

/// The widths of the rows of a block, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    /// The widest computed row.
    computed: usize,
    /// The widest given row, without the part that packing leaves out.
    given: usize,
    /// The largest matrix that rows are multiplied by.
    shared: usize,
}

impl Widths {
    pub(super) fn of(
        graph: &Graph,
        rows: &RowAxes,
        phases: &Phases,
        needed: &[bool],
        options: &Options,
    ) -> Self {
        let width = |id: NodeId| graph.node(id).len() / rows.count.max(1);
        let kept = |id: NodeId| match graph.node(id).op {
            Op::Input(number) => match options.form(number).fill {
                Some(fill) => (width(id) as f64 * fill.rows.max(fill.columns)) as usize,
                None => width(id),
            },
            _ => width(id),
        };
        let in_rows = |id: &NodeId| rows.of(*id).is_some() && needed[id.index()];
        let computed = graph
            .ids()
            .filter(|id| in_rows(id) && phases.kind(*id) == Kind::Row)
            .filter(|id| !matches!(graph.node(*id).op, Op::TakeRows));
        let given = graph.ids().filter(|id| {
            in_rows(id)
                && (phases.kind(*id) == Kind::Given || matches!(graph.node(*id).op, Op::TakeRows))
        });
        let shared = graph
            .ids()
            .filter(|id| in_rows(id) && phases.kind(*id) == Kind::Row)
            .filter(|id| matches!(graph.node(*id).op, Op::MatMul { .. }))
            .flat_map(|id| &graph.node(id).operands)
            .filter(|operand| rows.of(**operand).is_none())
            .map(|&operand| graph.node(operand).len());
        Self {
            computed: computed.map(width).max().unwrap_or(1),
            given: given.map(kept).max().unwrap_or(1),
            shared: shared.max().unwrap_or(0),
        }
    }
}
