//! Plans a graph: rows, phases, instructions, memory, cost.

mod code;
mod fuse;
mod lower;
mod phase;
mod places;
mod row_axes;
mod sums;
mod widths;

pub(crate) use code::{Merge, Numbers, PhaseCode};

use super::instruction::{Access, Instruction};
use super::kernel;
use super::limits::CHUNK;
use super::packed::Lines;
use super::threads::WORTH_A_THREAD;
use super::view::{At, Extent, Space};
use crate::error::{Error, Result};
use crate::graph::{DType, Graph, NodeId};
use crate::runtime::{Cost, Delivery, Footprint, Options, Partition, Passes};
use lower::Lowering;
use phase::{Kind, Phases};
use row_axes::RowAxes;
use widths::Widths;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// In order; even phases run whole tensors, odd phases blocks of rows.
    pub(crate) phases: Vec<PhaseCode>,
    pub(crate) partition: Partition,
    pub(crate) constants: Vec<f64>,
    pub(crate) arena_len: usize,
    pub(crate) block_len: usize,
    /// The length of a group's partial sums: the longest of any phase.
    pub(crate) partial_len: usize,
    /// Chunk memories that a fused kernel needs at once.
    pub(crate) slots: usize,
    /// Floating-point operations of each phase, approximately.
    pub(crate) effort: Vec<f64>,
    /// The packed matrices that it multiplies by: the number of the argument, and its lines.
    pub(crate) packed: Vec<(usize, Lines)>,
    /// Whether each argument is read, except packed.
    pub(crate) reads: Vec<bool>,
    /// Whether threads share instructions on whole tensors.
    pub(crate) shared: bool,
}

impl Plan {
    pub(crate) fn new(graph: &Graph, options: &Options, numbers: Numbers) -> Result<Self> {
        let mut deliveries = options.deliveries.clone();
        deliveries.resize(graph.outputs.len(), Delivery::default());
        let deliveries = &*deliveries;
        let passes = options.passes;
        let rows = if passes.row_block {
            RowAxes::find(graph)
        } else {
            RowAxes::none(graph)
        };
        let phases = Phases::of(graph, &rows);
        expect_blocks(graph, &rows, &phases, options, deliveries)?;
        let needed = graph.needed_for(&graph.outputs);
        let exported = exported(graph, &phases, &needed);
        let mut lowering = Lowering::new(graph, &rows, &phases, options, numbers);
        let mut code = Vec::new();
        for phase in 0..=phases.last() {
            code.push(lowering.phase(phase, &exported, deliveries)?);
        }
        if code.len() % 2 == 1 {
            // The remaining results are delivered as whole tensors.
            code.push(PhaseCode::default());
        }
        code.push(lowering.deliver_rest(deliveries)?);
        let partial_len = code
            .iter()
            .map(|phase| phase.partial_len)
            .max()
            .unwrap_or(0);
        let partition = options.partition.unwrap_or_else(|| {
            let widths = Widths::of(graph, &rows, &phases, &needed, options);
            widths::choose(rows.count, widths, partial_len, numbers.size)
        });
        let (mut buffers, constants, packed) =
            (lowering.buffers, lowering.constants, lowering.packed);
        if passes.fuse {
            sums::join(&mut code);
            fuse::fuse(&mut code, &mut buffers);
        }
        let places = places::find(&buffers, &mut code, partition.block_rows);
        let mut inputs = Inputs::of(graph);
        for phase in &mut code {
            let named = phase
                .prelude
                .iter_mut()
                .chain(&mut phase.instructions)
                .flat_map(Instruction::accesses_mut)
                .chain(phase.merges.iter_mut().map(|m| (Access::Write, &mut m.to)));
            for (access, at) in named {
                if let Space::Buffer(number) = at.space {
                    at.offset += places.offsets[number];
                    at.space = match buffers[number].phase {
                        Some(_) => Space::Block,
                        None => Space::Arena,
                    };
                }
                inputs.resolve(access, at)?;
            }
        }
        let effort = code
            .iter()
            .map(|phase| {
                let rows = partition.rows;
                let efforts = phase.instructions.iter().map(|i| effort(i, rows));
                // An exponential or a strided copy takes as long as several multiplications.
                efforts
                    .map(|(flops, elements, _)| flops + 4.0 * elements)
                    .sum()
            })
            .collect();
        let whole = code.iter().step_by(2);
        let shared =
            whole
                .flat_map(|phase| &phase.instructions)
                .any(|instruction| match instruction {
                    Instruction::Conv(conv) => conv.sizes.flops() >= WORTH_A_THREAD,
                    _ => kernel::pieces(instruction) > 1,
                });
        Ok(Self {
            shared,
            slots: slots(&code),
            phases: code,
            partition,
            constants,
            arena_len: places.arena,
            block_len: places.block,
            partial_len,
            effort,
            packed,
            reads: inputs.reads,
        })
    }

    /// The memory of a block in numbers, with its chunk memory.
    pub(crate) fn numbers_a_block(&self) -> usize {
        self.block_len + self.slots * CHUNK
    }

    /// The memory that a run with this number of threads needs.
    pub(crate) fn memory(&self, threads: usize) -> Footprint {
        let groups = self.partition.groups();
        // Any thread may run any group, and any piece of a long instruction.
        let shared = groups > 1 || self.shared;
        let concurrent = if shared { threads.max(1) } else { 1 };
        Footprint {
            arena: self.arena_len,
            partial: self.partial_len * groups,
            blocks: self.numbers_a_block() * concurrent,
        }
    }

    pub(crate) fn cost(&self, size: usize, threads: usize) -> Cost {
        let mut cost = Cost::default();
        for (phase, code) in self.phases.iter().enumerate() {
            // An instruction over rows runs once for each block; together they cover all rows.
            let rows = if phase % 2 == 1 {
                self.partition.rows
            } else {
                1
            };
            for instruction in &code.instructions {
                let (flops, elements, moved) = effort(instruction, rows);
                cost.product_flops += flops;
                cost.elements += elements;
                cost.bytes_moved += moved * size as f64;
            }
            for instruction in &code.prelude {
                let (_, elements, moved) = effort(instruction, 1);
                cost.elements += elements;
                cost.bytes_moved += moved * size as f64;
            }
            for merge in &code.merges {
                let read = (merge.len * self.partition.groups()) as f64;
                cost.elements += read;
                cost.bytes_moved += (read + merge.len as f64) * size as f64;
            }
        }
        cost.peak_bytes = self.memory(threads).numbers() * size;
        cost
    }
}

/// The arguments by kind: numbers or indices.
struct Inputs {
    /// For each argument, its kind, and its number among the arguments of this kind.
    numbers: Vec<(DType, usize)>,
    /// Whether each argument has been seen.
    reads: Vec<bool>,
}

impl Inputs {
    fn of(graph: &Graph) -> Self {
        let mut counts = [0; 2];
        let number = |&id: &NodeId| {
            let dtype = graph.node(id).dtype;
            let count = &mut counts[usize::from(dtype == DType::Index)];
            *count += 1;
            (dtype, *count - 1)
        };
        Self {
            numbers: graph.inputs().iter().map(number).collect(),
            reads: vec![false; graph.inputs().len()],
        }
    }

    /// Numbers the argument at this place among those of its kind.
    ///
    /// Kernels rely on these checks: numbers are read only from numbers, indices only from indices, and read-only
    /// memory is never written.
    fn resolve(&mut self, access: Access, at: &mut At) -> Result<()> {
        let fail = |what| Err(Error::Plan { what });
        if let Space::Input(number) = at.space
            && let Some(reads) = self.reads.get_mut(number)
        {
            *reads = true;
        }
        match (access, at.space) {
            (_, Space::Buffer(_)) => return fail("a buffer has no place"),
            (_, Space::Indices(_)) => return fail("a place is named twice"),
            (Access::Read, Space::Input(number)) => match self.numbers.get(number) {
                Some(&(DType::Real, number)) => at.space = Space::Input(number),
                _ => return fail("an argument is read as numbers and holds none"),
            },
            (Access::Index, Space::Input(number)) => match self.numbers.get(number) {
                Some(&(DType::Index, number)) => at.space = Space::Indices(number),
                _ => return fail("an argument is read as indices and holds none"),
            },
            (Access::Index, Space::Constant | Space::Partial) => {
                return fail("numbers are read as indices");
            }
            (Access::Write, Space::Input(_) | Space::Constant) => {
                return fail("an argument or a constant is written");
            }
            (
                Access::Read | Access::Index | Access::Write,
                Space::Output(_) | Space::Arena | Space::Block | Space::Partial,
            )
            | (Access::Read, Space::Constant) => {}
        }
        Ok(())
    }
}

fn slots(code: &[PhaseCode]) -> usize {
    code.iter()
        .flat_map(|phase| &phase.instructions)
        .map(|instruction| match instruction {
            Instruction::Fused(fused) => fused.slots,
            _ => 0,
        })
        .max()
        .unwrap_or(0)
}

/// Flops of products, other elements computed, numbers moved.
fn effort(instruction: &Instruction, rows: usize) -> (f64, f64, f64) {
    let size = |extent: Extent| extent.at(rows) as f64;
    match instruction {
        Instruction::Elementwise(e) => {
            let elements = e.inner as f64 * size(e.lanes);
            (0.0, elements, elements * (1 + e.operands.len()) as f64)
        }
        Instruction::Fused(fused) => {
            let elements = fused.inner as f64 * size(fused.lanes);
            let outside = fused.outside() as f64;
            (0.0, elements * fused.steps.len() as f64, elements * outside)
        }
        Instruction::Copy { axes, .. } => {
            let elements: f64 = axes.iter().map(|axis| size(axis.extent)).product();
            (0.0, elements, 2.0 * elements)
        }
        Instruction::Zero { count, lanes, .. } => (0.0, 0.0, *count as f64 * size(*lanes)),
        Instruction::Reduce(r) => {
            let axes = r.kept.iter().chain(&r.reduced);
            let elements = axes.map(|&(n, _)| n as f64).product::<f64>() * size(r.lanes);
            (0.0, elements, elements)
        }
        Instruction::MatMul(p) => {
            let (m, k, n) = (size(p.m), size(p.k), size(p.n));
            let batches: f64 = p.batches.iter().map(|&(count, _)| count as f64).product();
            (
                2.0 * batches * m * k * n,
                0.0,
                batches * (m * k + k * n + m * n),
            )
        }
        Instruction::Packed(p) => {
            let (m, k, n) = (size(p.m), size(p.k), p.n as f64);
            (
                2.0 * m * k * n * p.fill,
                0.0,
                m * k * p.fill + k * n + m * n,
            )
        }
        Instruction::TakeRows { rows, width, .. } => {
            let elements = size(*rows) * *width as f64;
            (0.0, elements, 2.0 * elements)
        }
        Instruction::AddRows {
            rows,
            width,
            to_rows,
            ..
        } => (
            0.0,
            (rows * width) as f64,
            ((2 * rows + to_rows) * width) as f64,
        ),
        Instruction::Lines(k) => {
            let axes =
                |number: usize| -> f64 { k.axes[number].iter().map(|&(n, _)| n as f64).product() };
            let places = k.outer.iter().map(|&(n, _)| n as f64).product::<f64>() * size(k.lanes);
            (
                0.0,
                places * axes(2) * k.work as f64,
                places * (axes(0) + axes(1) + axes(2)),
            )
        }
        Instruction::Conv(c) => {
            let sizes = &c.sizes;
            let [kernel, picture, places] =
                [sizes.kernel, sizes.picture, sizes.places].map(|[a, b]| a * b);
            let numbers = kernel * sizes.inputs() * sizes.outputs
                + sizes.pictures * (picture * sizes.channels + places * sizes.outputs);
            (sizes.flops(), 0.0, numbers as f64)
        }
        Instruction::PoolIndices(p) => {
            let places = (p.pictures * p.places[0] * p.places[1] * p.channels) as f64;
            let window = (p.size[0] * p.size[1]) as f64;
            (0.0, places * window, places * (window + 1.0))
        }
        Instruction::Select(s) => {
            let places: f64 =
                s.inner.iter().map(|&(n, _)| n as f64).product::<f64>() * size(s.lanes);
            let data = if s.scatter { s.classes as f64 } else { 1.0 };
            (0.0, places, places * (data + 2.0))
        }
    }
}

/// Which row nodes are needed after their phase.
fn exported(graph: &Graph, phases: &Phases, needed: &[bool]) -> Vec<bool> {
    let mut exported = vec![false; graph.nodes().len()];
    for id in graph.ids().filter(|id| needed[id.index()]) {
        for &operand in &graph.node(id).operands {
            if phases.kind(operand) == Kind::Row && phases.phase(operand) != phases.phase(id) {
                exported[operand.index()] = true;
            }
        }
    }
    exported
}

/// The number of rows of the node and their axis, if it can be handed over block by block in this graph: it is given or
/// computed row by row, and only read by rows.
pub(super) fn can_be_blocked(graph: &Graph, passes: Passes, id: NodeId) -> Option<(usize, usize)> {
    if !passes.row_block {
        return None;
    }
    let rows = RowAxes::find(graph);
    let phases = Phases::of(graph, &rows);
    let read_by_rows = graph.ids().all(|reader| {
        !graph.node(reader).operands.contains(&id)
            || matches!(phases.kind(reader), Kind::Row | Kind::Reduction)
    });
    let given_or_row = matches!(phases.kind(id), Kind::Given | Kind::Row);
    (read_by_rows && given_or_row)
        .then(|| rows.of(id).map(|axis| (rows.count, axis)))
        .flatten()
}

fn expect_blocks(
    graph: &Graph,
    rows: &RowAxes,
    phases: &Phases,
    options: &Options,
    deliveries: &[Delivery],
) -> Result<()> {
    let fail = |what: &str, number: usize| {
        Err(Error::Setting {
            field: "a blocked argument or result",
            range: "computed and read row by row",
            value: format!("{what} {number}"),
        })
    };
    for (number, &id) in graph.inputs().iter().enumerate() {
        if !options.form(number).blocked {
            continue;
        }
        let read_whole = graph.ids().any(|reader| {
            graph.node(reader).operands.contains(&id)
                && !matches!(phases.kind(reader), Kind::Row | Kind::Reduction)
        });
        if rows.of(id).is_none() || read_whole {
            return fail("argument", number);
        }
    }
    for (number, (&id, delivery)) in graph.outputs.iter().zip(deliveries).enumerate() {
        if delivery.blocked && phases.kind(id) != Kind::Row {
            return fail("result", number);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_kernel_may_touch_fails_the_compilation() {
        let mut graph = Graph::new();
        for dtype in [DType::Index, DType::Real, DType::Index, DType::Real] {
            graph.input(vec![2], dtype);
        }
        let mut inputs = Inputs::of(&graph);
        let mut resolved = |access, space| {
            let mut at = At::start(space, 3);
            inputs.resolve(access, &mut at).map(|()| at.space)
        };
        assert_eq!(resolved(Access::Read, Space::Input(3)), Ok(Space::Input(1)));
        assert_eq!(
            resolved(Access::Index, Space::Input(2)),
            Ok(Space::Indices(1))
        );
        assert_eq!(resolved(Access::Index, Space::Block), Ok(Space::Block));
        assert_eq!(resolved(Access::Read, Space::Constant), Ok(Space::Constant));
        assert_eq!(resolved(Access::Write, Space::Arena), Ok(Space::Arena));
        for (access, space) in [
            (Access::Read, Space::Input(2)),
            (Access::Read, Space::Input(4)),
            (Access::Index, Space::Input(3)),
            (Access::Index, Space::Constant),
            (Access::Write, Space::Input(1)),
            (Access::Write, Space::Constant),
            (Access::Read, Space::Buffer(0)),
            (Access::Read, Space::Indices(0)),
        ] {
            let found = resolved(access, space);
            assert!(
                matches!(found, Err(Error::Plan { .. })),
                "{access:?} {space:?}"
            );
        }
    }
}
