//! The runtime interface: a graph is compiled once and then runs on host slices.
//!
//! Each runtime implements [`Runtime`] and [`Executable`] in its own folder and is a variant of [`Device`]. No public
//! type has a runtime parameter, and only that folder knows the runtime's programs, memory and data formats.

pub(crate) mod cost;
pub(crate) mod cpu;
mod device;
mod interpreter;
pub(crate) mod matrix;
mod options;
mod partition;
mod prepared;
pub(crate) mod sparse;
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

/// Compiles graphs. Only [`Runtime::compile`] is required: by default, a runtime prepares no matrices and passes
/// nothing block by block.
pub(crate) trait Runtime<T> {
    /// Compiles an optimised graph.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for options that the runtime does not support.
    fn compile(&self, graph: &Graph, options: &Options) -> Result<Arc<dyn Executable<T>>>;

    /// Converts a matrix of bound data to a form that multiplies faster, if there is one.
    fn prepare(&self, _matrix: &Matrix<T>) -> Option<Box<dyn Prepared>> {
        None
    }

    /// The number of rows of a node and their axis, if a program of this graph can read or write the node block by
    /// block.
    fn blocks(&self, _graph: &Graph, _passes: Passes, _id: NodeId) -> Option<(usize, usize)> {
        None
    }
}

/// A compiled graph. The caller has checked the lengths of arguments and results and the range of indices.
pub(crate) trait Executable<T>: Debug + Send + Sync {
    /// Writes all results. Allocates nothing once the workspace has been used.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) if `selected` does not come from [`Executable::select`].
    fn run(
        &self,
        workspace: &mut Workspace<T>,
        selected: Option<&dyn Selected>,
        arguments: &[Argument<'_, T>],
        results: &mut [&mut [T]],
    ) -> Result<()>;

    /// The prepared data that this program uses. `prepared` takes the number of an argument.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) if a matrix that it needs is missing.
    fn select<'a>(
        &self,
        _prepared: &dyn Fn(usize) -> Option<&'a dyn Prepared>,
    ) -> Result<Option<Box<dyn Selected>>> {
        Ok(None)
    }

    /// The cost of a run with this number of threads.
    fn cost(&self, threads: usize) -> Cost;

    /// The memory that a run with this number of threads needs in addition to its arguments and results.
    fn footprint(&self, threads: usize) -> Footprint;

    /// How this program cuts rows; a program that writes blocks for it needs the same partition.
    fn partition(&self) -> Option<Partition> {
        None
    }

    /// Whether this program reads the argument of this number, except in the form that [`Executable::select`] asks for.
    /// An argument that is not read may be empty.
    fn reads(&self, _argument: usize) -> bool {
        true
    }
}

/// An argument of a program.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a, T> {
    /// Real numbers, in row-major order.
    Real(&'a [T]),
    /// Indices.
    Index(&'a [u32]),
}
