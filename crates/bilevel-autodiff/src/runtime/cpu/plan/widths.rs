//! How many rows a group and a block have: as many as keep what they hold in the cache.

use super::phase::{Kind, Phases};
use super::row_axes::RowAxes;
use crate::graph::{Graph, NodeId, Op};
use crate::runtime::Options;
use crate::runtime::Partition;
use crate::runtime::cpu::limits::MOST_SHARED;

/// `partial` are the numbers of the partial sums of a group, each number of `size` bytes.
pub(super) fn choose(rows: usize, widths: Widths, partial: usize, size: usize) -> Partition {
    // Lanes are whole vectors then.
    const LANES: usize = 16;
    // What a second-level cache holds beside other things.
    const CACHE: usize = 400_000;
    let groups = match partial * size {
        0..=131_072 => 16,
        131_073..=4_194_304 => 8,
        _ => 4,
    };
    // Partial sums and the packing of wide products are shared by the rows of a group; but where there are few
    // groups, all wait for the thread that something else slows down.
    let least = 128;
    let group_rows = rows
        .div_ceil(groups)
        .max(least)
        .next_multiple_of(LANES)
        .min(rows.max(1));
    let target = if widths.computed <= 64 {
        (CACHE / (widths.given.max(1) * size)).clamp(64, 512)
    } else if widths.shared <= MOST_SHARED {
        // Nothing but rows is packed: what is computed from one step to the next stays in the cache.
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

/// What the rows of a block hold, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widths {
    /// The widest computed row.
    computed: usize,
    /// The widest given row, without what a packed one leaves out.
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
