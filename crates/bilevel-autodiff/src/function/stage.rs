//! Staging: separates what depends only on x (and data) from what depends on y or the batch.
//!
//! h(x, y) = h̃(ρ(x), y). ρ is computed once for each x, and its derivative is applied once for each sweep.

use super::source::Source;
use crate::error::Result;
use crate::graph::{DType, Graph, NodeId, Op};

/// A staged objective.
pub(super) struct Staged {
    /// ρ: x parts, data ↦ the crossing tensors that are not themselves x parts or data.
    pub(super) rho: Graph,
    /// h̃: crossing tensors, y parts, data, labels, batch ↦ h.
    pub(super) h: Graph,
    pub(super) crossing: Vec<Crossing>,
    /// The numbers of x parts, y parts, tensors and labels.
    pub(super) counts: Counts,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) data: usize,
    pub(super) labels: usize,
    pub(super) batch: usize,
}

/// A tensor that the early part passes to the late part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Crossing {
    pub(super) from: Origin,
    pub(super) len: usize,
    /// Whether it depends on x, and so has a cotangent.
    pub(super) depends_on_x: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// An x part.
    X(usize),
    /// A result of ρ.
    Rho(usize),
}

impl Staged {
    pub(super) fn new(source: &Source, staged: bool) -> Result<Self> {
        let Source { graph, roles } = source;
        let mut late_roots = roles.y.clone();
        late_roots.extend(roles.batch);
        if roles.batch.is_some() {
            late_roots.extend(&roles.labels);
        }
        let late = graph.depends_on(&late_roots);
        let on_x = graph.depends_on(&roles.x);
        let mut early_roots = roles.x.clone();
        early_roots.extend(&roles.data);
        let on_inputs = graph.depends_on(&early_roots);
        let needed = graph.needed_for(&graph.outputs);
        let is_early = |id: NodeId| staged && on_inputs[id.index()] && !late[id.index()];

        // What the late part reads from the early part. Operations that only repeat or move elements are left to the
        // late part.
        let mut crossing: Vec<NodeId> = Vec::new();
        let mut moved = vec![false; graph.nodes().len()];
        let mut read: Vec<NodeId> = graph.outputs.clone();
        for id in graph.ids().filter(|id| needed[id.index()]) {
            if !is_early(id) {
                read.extend(&graph.node(id).operands);
            }
        }
        while let Some(id) = read.pop() {
            if !is_early(id) || moved[id.index()] || crossing.contains(&id) {
                continue;
            }
            let node = graph.node(id);
            match node.op {
                // The late part has the data as inputs.
                Op::Input(_) if !roles.x.contains(&id) => {}
                Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::StopGradient => {
                    moved[id.index()] = true;
                    read.extend(&node.operands);
                }
                // A program cannot return a mask: the compared values cross instead.
                _ if node.dtype != DType::Real => {
                    moved[id.index()] = true;
                    read.extend(&node.operands);
                }
                _ => crossing.push(id),
            }
        }
        if !staged {
            crossing = roles
                .x
                .iter()
                .copied()
                .filter(|id| needed[id.index()])
                .collect();
        }
        crossing.sort_unstable();

        let mut origins = Vec::new();
        let mut rho = graph.clone();
        rho.outputs = Vec::new();
        for &id in &crossing {
            let from = match roles.x.iter().position(|&x| x == id) {
                Some(part) => Origin::X(part),
                None => {
                    rho.outputs.push(id);
                    Origin::Rho(rho.outputs.len() - 1)
                }
            };
            origins.push(Crossing {
                from,
                len: graph.node(id).len(),
                depends_on_x: on_x[id.index()],
            });
        }
        Ok(Self {
            h: late_part(source, &crossing)?,
            rho: early_part(source, &rho)?,
            crossing: origins,
            counts: Counts {
                x: roles.x.len(),
                y: roles.y.len(),
                data: roles.data.len(),
                labels: roles.labels.len(),
                batch: usize::from(roles.batch.is_some()),
            },
        })
    }
}

/// h̃ as a separate graph.
fn late_part(source: &Source, crossing: &[NodeId]) -> Result<Graph> {
    let Source { graph, roles } = source;
    let mut new = Graph::new();
    let mut placed: Vec<Option<NodeId>> = vec![None; graph.nodes().len()];
    let inputs = crossing
        .iter()
        .chain(&roles.y)
        .chain(&roles.data)
        .chain(&roles.labels)
        .chain(&roles.columns)
        .chain(&roles.batch);
    for &id in inputs {
        let node = graph.node(id);
        placed[id.index()] = Some(new.input(node.shape.clone(), node.dtype));
    }
    copy_needed(graph, &mut new, &mut placed)?;
    Ok(new)
}

/// ρ with the x parts, the data and, unless they belong to a batch, the labels as its inputs, in this
/// order.
fn early_part(source: &Source, rho: &Graph) -> Result<Graph> {
    let roles = &source.roles;
    let mut new = Graph::new();
    let mut placed: Vec<Option<NodeId>> = vec![None; rho.nodes().len()];
    // The labels of a batch belong to the late part.
    let labels = roles.labels.iter().filter(|_| roles.batch.is_none());
    let inputs = roles.x.iter().chain(&roles.data).chain(labels);
    for &id in inputs.chain(&roles.columns) {
        let node = rho.node(id);
        placed[id.index()] = Some(new.input(node.shape.clone(), node.dtype));
    }
    copy_needed(rho, &mut new, &mut placed)?;
    Ok(new)
}

/// Copies the nodes that the outputs need and that are not copied yet.
pub(super) fn copy_needed(
    graph: &Graph,
    new: &mut Graph,
    placed: &mut [Option<NodeId>],
) -> Result<()> {
    let mut needed = vec![false; graph.nodes().len()];
    let mut wanted = graph.outputs.clone();
    while let Some(id) = wanted.pop() {
        if placed[id.index()].is_none() && !needed[id.index()] {
            needed[id.index()] = true;
            wanted.extend(&graph.node(id).operands);
        }
    }
    for (id, node) in graph.ids().zip(graph.nodes()) {
        if !needed[id.index()] {
            continue;
        }
        let operands: Vec<NodeId> = node
            .operands
            .iter()
            .filter_map(|operand| placed[operand.index()])
            .collect();
        placed[id.index()] = Some(match node.op {
            Op::Constant(bits) => new.constant(f64::from_bits(bits)),
            _ => new.push(node.op.clone(), &operands)?,
        });
    }
    new.outputs = graph
        .outputs
        .iter()
        .filter_map(|id| placed[id.index()])
        .collect();
    Ok(())
}
