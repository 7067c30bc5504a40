//! The programs of a function, each compiled when it is first needed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bilevel::Oracle;

use super::settings::Settings;
use super::stage::Staged;
use crate::error::Result;
use crate::graph::{DType, Graph, NodeId, Op};
use crate::pass::residuals;
use crate::program::{Program, optimise};
use crate::real::Real;
use crate::rule::{self, Recompute};
use crate::runtime::{Delivery, Form, Options};
use crate::transform::{grad, jvp, vjp};

/// A program that is compiled once, or its error.
type Lazy<T> = OnceLock<Result<Program<T>>>;

/// A program of h̃.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    Of(Oracle),
    /// [`Oracle::GradY`] and [`Oracle::Push`] in one.
    PushWithGradient,
}

impl Which {
    /// The number of programs.
    pub(super) const COUNT: usize = Oracle::ALL.len() + 1;

    /// Its number, below [`Which::COUNT`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Of(oracle) => oracle.index(),
            Self::PushWithGradient => Oracle::ALL.len(),
        }
    }
}

impl From<Oracle> for Which {
    fn from(oracle: Oracle) -> Self {
        Self::Of(oracle)
    }
}

/// All programs of h̃ and ρ. Programs of h̃ take its arguments (the values that cross the cut, y parts, data, labels,
/// batch), then the further ones listed at each program.
pub(super) struct Programs<T> {
    settings: Settings,
    /// The forms of the arguments of h̃, and of ρ.
    forms: Vec<Form>,
    rho_forms: Vec<Form>,
    first_tensor: usize,
    /// Counts the compiled programs of all shapes of the function.
    compiled: Arc<AtomicUsize>,
    rho_graph: Graph,
    h: Graph,
    /// Inputs of h̃ that cross the cut and depend on x.
    x_side: Vec<NodeId>,
    y: Vec<NodeId>,
    /// The inputs of ρ that are x parts.
    rho_x: Vec<NodeId>,
    /// The numbers of the results of ρ that depend on x.
    rho_on_x: Vec<usize>,
    value: Lazy<T>,
    grad_y: Lazy<T>,
    grad_x: Lazy<T>,
    pull: Lazy<T>,
    push: Lazy<T>,
    push_with_gradient: Lazy<T>,
    rho: Lazy<T>,
    unstage: Lazy<T>,
    push_rho: Lazy<T>,
    tape: OnceLock<Result<TapePrograms<T>>>,
    stage: OnceLock<Result<StagePrograms<T>>>,
}

/// A gradient that keeps the tensors needed by the second-order products, and these products.
pub(super) struct TapePrograms<T> {
    /// Results: y parts, then the kept tensors.
    linearize: Program<T>,
    /// Further arguments: v parts, the kept tensors. Results: y parts and x side, added.
    pull: Program<T>,
    /// The length of each kept tensor.
    pub(super) lens: Vec<usize>,
}

/// ρ that keeps the tensors needed by its derivative, and this derivative.
struct StagePrograms<T> {
    /// Results: those of ρ, then the kept tensors.
    rho: Program<T>,
    /// Further arguments: the cotangents of the results that depend on x, the kept tensors. Results: x parts, added.
    unstage: Program<T>,
    /// The length of each kept tensor.
    lens: Vec<usize>,
}

impl<T: Real> Programs<T> {
    /// `forms` are the forms of the data tensors; `compiled` counts the compiled programs.
    pub(super) fn new(
        staged: &Staged,
        settings: Settings,
        forms: &[Form],
        compiled: Arc<AtomicUsize>,
    ) -> Self {
        let counts = staged.counts;
        let inputs = staged.h.inputs();
        let crossing = staged.crossing.len();
        let x_side = staged
            .crossing
            .iter()
            .zip(inputs)
            .filter(|(crossing, _)| crossing.depends_on_x)
            .map(|(_, &id)| id)
            .collect();
        let rho_x = staged.rho.inputs()[..counts.x].to_vec();
        let on_x = staged.rho.depends_on(&rho_x);
        let rho_on_x = (0..staged.rho.outputs.len())
            .filter(|&number| on_x[staged.rho.outputs[number].index()])
            .collect();
        let with_data = |before: usize| {
            let mut all = vec![Form::default(); before];
            all.extend(forms);
            all
        };
        Self {
            settings,
            forms: with_data(crossing + counts.y),
            rho_forms: with_data(counts.x),
            first_tensor: crossing + counts.y,
            compiled,
            y: inputs[crossing..crossing + counts.y].to_vec(),
            h: staged.h.clone(),
            rho_graph: staged.rho.clone(),
            x_side,
            rho_x,
            rho_on_x,
            value: OnceLock::new(),
            grad_y: OnceLock::new(),
            grad_x: OnceLock::new(),
            pull: OnceLock::new(),
            push: OnceLock::new(),
            push_with_gradient: OnceLock::new(),
            rho: OnceLock::new(),
            unstage: OnceLock::new(),
            push_rho: OnceLock::new(),
            tape: OnceLock::new(),
            stage: OnceLock::new(),
        }
    }

    /// A program of h̃.
    pub(super) fn get(&self, which: Which) -> Result<&Program<T>> {
        match which {
            Which::Of(Oracle::Value) => self.value(),
            Which::Of(Oracle::GradY) => self.grad_y(),
            Which::Of(Oracle::GradX) => self.grad_x(),
            Which::Of(Oracle::Pull) => self.pull(),
            Which::Of(Oracle::Push) => self.push(),
            Which::PushWithGradient => self.push_with_gradient(),
            Which::Of(Oracle::Linearize) => Ok(&self.tape()?.linearize),
            Which::Of(Oracle::PullTape) => Ok(&self.tape()?.pull),
        }
    }

    /// The number of the first data tensor among the arguments of h̃.
    pub(super) fn first_tensor(&self) -> usize {
        self.first_tensor
    }

    /// Compiles a program of h̃.
    fn compile(&self, graph: &Graph, added: &[bool]) -> Result<Program<T>> {
        self.compile_with(graph, added, &self.forms)
    }

    fn compile_with(&self, graph: &Graph, added: &[bool], forms: &[Form]) -> Result<Program<T>> {
        let options = Options {
            passes: self.settings.passes,
            deliveries: added
                .iter()
                .map(|&add| Delivery {
                    add,
                    blocked: false,
                })
                .collect(),
            inputs: forms.to_vec(),
            partition: None,
        };
        self.counted(graph, &options)
    }

    fn counted(&self, graph: &Graph, options: &Options) -> Result<Program<T>> {
        self.compiled.fetch_add(1, Ordering::Relaxed);
        Program::with(graph, self.settings.device, options)
    }

    /// h.
    fn value(&self) -> Result<&Program<T>> {
        lazy(&self.value, || self.compile(&self.h, &[]))
    }

    /// ∇_y h: y parts.
    fn grad_y(&self) -> Result<&Program<T>> {
        lazy(&self.grad_y, || {
            let mut graph = self.h.clone();
            graph.outputs = grad(&mut graph, self.h.outputs[0], &self.y)?;
            self.compile(&graph, &[])
        })
    }

    /// scale · ∇ h on the x side, added. Further argument: scale.
    fn grad_x(&self) -> Result<&Program<T>> {
        lazy(&self.grad_x, || {
            let mut graph = self.h.clone();
            let scale = graph.input(Vec::new(), DType::Real);
            let output = graph.outputs[0];
            let shape = graph.shape(output).to_vec();
            let seed = graph.expand(scale, &shape)?;
            let bars = vjp(&mut graph, &[(output, seed)], &self.x_side)?;
            graph.outputs = zeros_for_none(&mut graph, bars, &self.x_side)?;
            self.compile(&graph, &vec![true; self.x_side.len()])
        })
    }

    /// The gradient on the y side and its derivative along v: (∇_y h, ∇²_yy h v, ∇²_xy h v).
    fn pull_graph(&self) -> Result<(Graph, Vec<NodeId>, Vec<NodeId>)> {
        let mut graph = self.h.clone();
        let v = parts_like(&mut graph, &self.y);
        let mut wrt = self.y.clone();
        wrt.extend(&self.x_side);
        let gradient = grad(&mut graph, self.h.outputs[0], &wrt)?;
        let along: Vec<(NodeId, NodeId)> = self.y.iter().copied().zip(v).collect();
        let products = jvp(&mut graph, &along, &gradient)?;
        let products = zeros_for_none(&mut graph, products, &wrt)?;
        Ok((graph, gradient[..self.y.len()].to_vec(), products))
    }

    /// ∇²_yy h v and, on the x side, ∇²_xy h v, added. Further arguments: v parts.
    fn pull(&self) -> Result<&Program<T>> {
        lazy(&self.pull, || {
            let (mut graph, _, products) = self.pull_graph()?;
            let added = vec![true; products.len()];
            graph.outputs = products;
            self.compile(&graph, &added)
        })
    }

    /// ∇²_yy h dy + ∇²_yx h dx, added: y parts. Further arguments: x side and y parts of the direction.
    fn push(&self) -> Result<&Program<T>> {
        lazy(&self.push, || {
            let (mut graph, _, products) = self.push_graph()?;
            let added = vec![true; products.len()];
            graph.outputs = products;
            self.compile(&graph, &added)
        })
    }

    /// ∇_y h, then the results of `push`.
    fn push_with_gradient(&self) -> Result<&Program<T>> {
        lazy(&self.push_with_gradient, || {
            let (mut graph, gradient, products) = self.push_graph()?;
            let mut added = vec![false; gradient.len()];
            added.resize(gradient.len() + products.len(), true);
            graph.outputs = gradient;
            graph.outputs.extend(products);
            self.compile(&graph, &added)
        })
    }

    /// The gradient in y and its derivative along (dx, dy).
    fn push_graph(&self) -> Result<(Graph, Vec<NodeId>, Vec<NodeId>)> {
        let mut graph = self.h.clone();
        let mut along: Vec<NodeId> = self.x_side.clone();
        along.extend(&self.y);
        let tangents = parts_like(&mut graph, &along);
        let gradient = grad(&mut graph, self.h.outputs[0], &self.y)?;
        let along: Vec<(NodeId, NodeId)> = along.into_iter().zip(tangents).collect();
        let products = jvp(&mut graph, &along, &gradient)?;
        let products = zeros_for_none(&mut graph, products, &self.y)?;
        Ok((graph, gradient, products))
    }

    /// Whether ρ keeps what its derivative would have to compute again: it has products or convolutions, and depends on x.
    fn keeps(&self) -> bool {
        let needed = self.rho_graph.needed_for(&self.rho_graph.outputs);
        let mut nodes = self.rho_graph.nodes().iter().zip(needed);
        let costs =
            |op: &Op| !matches!(op, Op::Input(_)) && rule::recompute(op) == Recompute::Never;
        !self.rho_on_x.is_empty() && nodes.any(|(node, needed)| needed && costs(&node.op))
    }

    /// ρ(x), and the kept tensors. Arguments: x parts, data, labels.
    pub(super) fn rho(&self) -> Result<&Program<T>> {
        if self.keeps() {
            return Ok(&self.stage()?.rho);
        }
        lazy(&self.rho, || {
            self.compile_with(&self.rho_graph, &[], &self.rho_forms)
        })
    }

    /// The lengths of the tensors that ρ keeps for [`Programs::unstage`].
    pub(super) fn kept_by_rho(&self) -> Result<&[usize]> {
        match self.keeps() {
            true => Ok(&self.stage()?.lens),
            false => Ok(&[]),
        }
    }

    /// (∂ρ/∂x)ᵀ·bars, added: x parts. Further arguments: the cotangents of the results that depend on x, and the kept
    /// tensors.
    pub(super) fn unstage(&self) -> Result<&Program<T>> {
        if self.keeps() {
            return Ok(&self.stage()?.unstage);
        }
        lazy(&self.unstage, || {
            let (mut graph, _, cotangents) = self.unstage_graph()?;
            graph.outputs = cotangents;
            self.compile_with(&graph, &vec![true; self.rho_x.len()], &self.rho_forms)
        })
    }

    /// ρ with the cotangents of its results as further inputs, these, and the cotangents of the x parts.
    fn unstage_graph(&self) -> Result<(Graph, usize, Vec<NodeId>)> {
        let mut graph = self.rho_graph.clone();
        let results: Vec<NodeId> = self.rho_on_x.iter().map(|&i| graph.outputs[i]).collect();
        let bars = parts_like(&mut graph, &results);
        let count = bars.len();
        let seeds: Vec<(NodeId, NodeId)> = results.into_iter().zip(bars).collect();
        let cotangents = vjp(&mut graph, &seeds, &self.rho_x)?;
        let cotangents = zeros_for_none(&mut graph, cotangents, &self.rho_x)?;
        Ok((graph, count, cotangents))
    }

    fn stage(&self) -> Result<&StagePrograms<T>> {
        let programs = self.stage.get_or_init(|| self.compile_stage());
        programs.as_ref().map_err(Clone::clone)
    }

    fn compile_stage(&self) -> Result<StagePrograms<T>> {
        let (mut graph, bars, cotangents) = self.unstage_graph()?;
        let results = graph.outputs.len();
        let added = vec![true; cotangents.len()];
        graph.outputs.extend(cotangents);
        // One optimised graph for both programs, so that they agree on the kept nodes.
        let graph = optimise(&graph, self.settings.passes)?;
        let inputs = graph.inputs();
        let late = inputs[inputs.len() - bars..].to_vec();
        let (results, cotangents) = graph.outputs.split_at(results);
        let kept = residuals(&graph, cotangents, &late);
        let lens = kept.iter().map(|&id| graph.node(id).len()).collect();
        let first = without_last(&graph, bars, results, &kept)?;
        let (second, _) = from_kept(&graph, &kept, cotangents)?;
        Ok(StagePrograms {
            rho: self.compile_with(&first, &[], &self.rho_forms)?,
            unstage: self.compile_with(&second, &added, &self.rho_forms)?,
            lens,
        })
    }

    /// ∂ρ/∂x·dx: the results that depend on x. Further arguments: the parts of dx.
    pub(super) fn push_rho(&self) -> Result<&Program<T>> {
        lazy(&self.push_rho, || {
            let mut graph = self.rho_graph.clone();
            let dx = parts_like(&mut graph, &self.rho_x);
            let results: Vec<NodeId> = self.rho_on_x.iter().map(|&i| graph.outputs[i]).collect();
            let along: Vec<(NodeId, NodeId)> = self.rho_x.iter().copied().zip(dx).collect();
            let tangents = jvp(&mut graph, &along, &results)?;
            graph.outputs = zeros_for_none(&mut graph, tangents, &results)?;
            self.compile_with(&graph, &[], &self.rho_forms)
        })
    }

    /// The programs of a tape.
    pub(super) fn tape(&self) -> Result<&TapePrograms<T>> {
        let programs = self.tape.get_or_init(|| self.compile_tape());
        programs.as_ref().map_err(Clone::clone)
    }

    fn compile_tape(&self) -> Result<TapePrograms<T>> {
        let (mut graph, gradient, products) = self.pull_graph()?;
        let (gradients, added) = (gradient.len(), products.len());
        graph.outputs = gradient;
        graph.outputs.extend(products);
        // One optimised graph for both programs, so that they agree on the kept nodes.
        let graph = optimise(&graph, self.settings.passes)?;
        let inputs = graph.inputs().len();
        let v = graph.inputs()[inputs - self.y.len()..].to_vec();
        let (gradient, products) = graph.outputs.split_at(gradients);
        let kept = residuals(&graph, products, &v);
        let lens: Vec<usize> = kept.iter().map(|&id| graph.node(id).len()).collect();

        let first = without_last(&graph, self.y.len(), gradient, &kept)?;
        let (second, places) = from_kept(&graph, &kept, products)?;
        // Kept tensors are handed over block by block where both programs cut the same rows.
        let runtime = self.settings.device.runtime::<T>();
        let blocked: Vec<bool> = first.outputs[gradients..]
            .iter()
            .zip(&places)
            .map(|(&id, &place)| {
                let rows = runtime.blocks(&second, self.settings.passes, place);
                rows.is_some() && rows == runtime.blocks(&first, self.settings.passes, id)
            })
            .collect();
        let mut inputs = self.forms.clone();
        inputs.resize(second.inputs().len(), Form::default());
        let start = inputs.len() - kept.len();
        for (form, &blocked) in inputs[start..].iter_mut().zip(&blocked) {
            form.blocked = blocked;
        }
        let pull = self.counted(
            &second,
            &Options {
                passes: self.settings.passes,
                deliveries: vec![
                    Delivery {
                        add: true,
                        blocked: false
                    };
                    added
                ],
                inputs,
                partition: None,
            },
        )?;
        let mut deliveries = vec![Delivery::default(); gradients];
        deliveries.extend(blocked.iter().map(|&blocked| Delivery {
            add: false,
            blocked,
        }));
        let linearize = self.counted(
            &first,
            &Options {
                passes: self.settings.passes,
                deliveries,
                inputs: self.forms.clone(),
                partition: pull.partition().filter(|_| blocked.contains(&true)),
            },
        )?;
        Ok(TapePrograms {
            linearize,
            pull,
            lens,
        })
    }
}

/// The part of the graph that needs none of its last `count` inputs: the gradient and the kept nodes.
fn without_last(
    graph: &Graph,
    count: usize,
    gradient: &[NodeId],
    kept: &[NodeId],
) -> Result<Graph> {
    let mut new = Graph::new();
    let mut placed: Vec<Option<NodeId>> = vec![None; graph.nodes().len()];
    let inputs = graph.inputs();
    for &id in &inputs[..inputs.len() - count] {
        let node = graph.node(id);
        placed[id.index()] = Some(new.input(node.shape.clone(), node.dtype));
    }
    let mut graph = graph.clone();
    graph.outputs = gradient.to_vec();
    graph.outputs.extend(kept);
    super::stage::copy_needed(&graph, &mut new, &mut placed)?;
    Ok(new)
}

/// The same graph with the kept nodes as further inputs instead of computing them; also returns these inputs.
fn from_kept(graph: &Graph, kept: &[NodeId], products: &[NodeId]) -> Result<(Graph, Vec<NodeId>)> {
    let mut new = Graph::new();
    let mut placed: Vec<Option<NodeId>> = vec![None; graph.nodes().len()];
    for &id in graph.inputs() {
        let node = graph.node(id);
        placed[id.index()] = Some(new.input(node.shape.clone(), node.dtype));
    }
    let places: Vec<NodeId> = kept
        .iter()
        .map(|&id| new.input(graph.shape(id).to_vec(), DType::Real))
        .collect();
    for (&id, &place) in kept.iter().zip(&places) {
        placed[id.index()] = Some(place);
    }
    let mut graph = graph.clone();
    graph.outputs = products.to_vec();
    super::stage::copy_needed(&graph, &mut new, &mut placed)?;
    Ok((new, places))
}

fn lazy<T>(place: &Lazy<T>, compile: impl FnOnce() -> Result<Program<T>>) -> Result<&Program<T>> {
    place.get_or_init(compile).as_ref().map_err(Clone::clone)
}

/// Adds inputs with the shapes of these nodes.
fn parts_like(graph: &mut Graph, ids: &[NodeId]) -> Vec<NodeId> {
    ids.iter()
        .map(|&id| {
            let shape = graph.shape(id).to_vec();
            graph.input(shape, DType::Real)
        })
        .collect()
}

fn zeros_for_none(
    graph: &mut Graph,
    found: Vec<Option<NodeId>>,
    like: &[NodeId],
) -> Result<Vec<NodeId>> {
    found
        .into_iter()
        .zip(like)
        .map(|(id, &like)| id.map_or_else(|| graph.constant_like(0.0, like), Ok))
        .collect()
}
