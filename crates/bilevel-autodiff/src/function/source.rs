//! A traced function, before staging and differentiation.

use bilevel::Layout;

use super::inputs::Inputs;
use super::roles::Roles;
use super::shapes::Shapes;
use crate::error::Result;
use crate::graph::Graph;
use crate::program::bound;
use crate::trace::{Tracer, Var};

/// A function of x, y and data in plain arithmetic.
pub(super) type Closure = dyn for<'t> Fn(&Inputs<'t>) -> Var<'t> + Send + Sync;

/// A traced function on all rows, or on a batch of them.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) graph: Graph,
    pub(super) roles: Roles,
}

impl Source {
    /// Traces the closure; with a `batch`, for this number of rows.
    pub(super) fn trace(
        closure: &Closure,
        (x, y): (&Layout, &Layout),
        shapes: &Shapes,
        batch: Option<usize>,
    ) -> Result<Self> {
        let tracer = Tracer::default();
        let inputs = Inputs::new(&tracer, x, y, shapes, batch);
        let output = closure(&inputs);
        let roles = inputs.roles();
        let graph = tracer.finish(&[output])?;
        Ok(Self { graph, roles })
    }

    /// For each list of labels, the exclusive upper bound: the size of the axes that it selects from.
    pub(super) fn label_bounds(&self) -> Vec<usize> {
        let labels = self.roles.labels.iter();
        labels.map(|&input| bound(&self.graph, input)).collect()
    }
}
