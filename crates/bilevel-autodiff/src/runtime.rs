//! The seam for runtimes: a graph is compiled once and then runs on slices of the host.
//!
//! A runtime implements [`Runtime`] and [`Executable`] in a folder of its own and is a variant of [`Device`]. No
//! public type has a parameter for it, and nothing outside its folder knows its programs, its memory or its forms of
//! data.

pub(crate) mod cost;
pub(crate) mod cpu;
mod device;
mod interpreter;
pub(crate) mod matrix;
mod options;
mod partition;
mod prepared;
mod workspace;

use std::fmt::Debug;
use std::sync::Arc;

pub use cost::Cost;
pub(crate) use cost::Footprint;
pub use device::Device;
pub(crate) use device::Runtimes;
pub use options::Passes;
pub(crate) use options::{Delivery, Form, Options};
pub(crate) use partition::Partition;
pub(crate) use prepared::{Fill, Prepared, Selected};
pub use workspace::Workspace;

use crate::error::Result;
use crate::graph::{Graph, NodeId};
use matrix::Matrix;

/// Something that compiles graphs. What is optional has a default: a runtime that prepares nothing and hands over
/// nothing block by block only compiles.
pub(crate) trait Runtime<T> {
    /// Compiles an optimised graph.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for options that it does not have.
    fn compile(&self, graph: &Graph, options: &Options) -> Result<Arc<dyn Executable<T>>>;

    /// A matrix of bound data in a form that is faster to multiply by, if there is one.
    fn prepare(&self, _matrix: &Matrix<T>) -> Option<Box<dyn Prepared>> {
        None
    }

    /// How many rows a node is cut into, and along which axis, if a program of this graph can take it or give it
    /// block by block.
    fn blocks(&self, _graph: &Graph, _passes: Passes, _id: NodeId) -> Option<(usize, usize)> {
        None
    }
}

/// A compiled graph. Whoever calls it has checked the lengths of arguments and results and the range of indices.
pub(crate) trait Executable<T>: Debug + Send + Sync {
    /// Writes all results. Nothing is allocated once the workspace has been used.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) if `selected` is not what [`Executable::select`] gave.
    fn run(
        &self,
        workspace: &mut Workspace<T>,
        selected: Option<&dyn Selected>,
        arguments: &[Argument<'_, T>],
        results: &mut [&mut [T]],
    ) -> Result<()>;

    /// What it uses of prepared matrices, each given by the number of its argument.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) if one that it needs is not there.
    fn select<'a>(
        &self,
        _prepared: &dyn Fn(usize) -> Option<&'a dyn Prepared>,
    ) -> Result<Option<Box<dyn Selected>>> {
        Ok(None)
    }

    /// What a run costs with so many threads.
    fn cost(&self, threads: usize) -> Cost;

    /// How many numbers a run with so many threads needs beside its arguments and results.
    fn footprint(&self, threads: usize) -> Footprint;

    /// How it cuts rows, for a program that gives it blocks.
    fn partition(&self) -> Option<Partition> {
        None
    }
}

/// An argument of a program.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a, T> {
    /// Numbers, in row-major order.
    Real(&'a [T]),
    /// Indices.
    Index(&'a [u32]),
}
