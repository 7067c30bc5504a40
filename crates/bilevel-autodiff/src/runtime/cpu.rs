//! The CPU runtime. Each part imports only earlier ones: limits, instructions, packed data, plans, kernels, and the
//! machine that runs them. This file combines them into a runtime.

mod instruction;
mod kernel;
mod limits;
mod machine;
mod packed;
mod plan;
mod threads;
mod view;

use std::any::Any;
use std::sync::Arc;

use kernel::Vectorised;

use super::matrix::Matrix;
use super::{
    Argument, Cost, Executable, Footprint, Options, Partition, Passes, Prepared, Runtime, Selected,
    Workspace,
};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use machine::Memory;
use packed::{Packable, Packed};
use plan::{Numbers, Plan};

/// Fused kernels over blocks of rows, on the threads of the current rayon pool.
pub(super) struct Cpu;

/// A plan, and its constants in the number type.
#[derive(Debug)]
struct Planned<T> {
    plan: Plan,
    constants: Vec<T>,
}

impl<T: Vectorised> Runtime<T> for Cpu {
    fn compile(&self, graph: &Graph, options: &Options) -> Result<Arc<dyn Executable<T>>> {
        let numbers = Numbers {
            size: size_of::<T>(),
            lanes: kernel::lanes::<T>(),
        };
        let plan = Plan::new(graph, options, numbers)?;
        let constants = plan.constants.iter().map(|&c| T::from_f64(c)).collect();
        Ok(Arc::new(Planned { plan, constants }))
    }

    fn prepare(&self, matrix: &Matrix<T>) -> Option<Box<dyn Prepared>> {
        Packable::of(matrix).map(|matrix| -> Box<dyn Prepared> { Box::new(matrix) })
    }

    fn blocks(&self, graph: &Graph, passes: Passes, id: NodeId) -> Option<(usize, usize)> {
        plan::can_be_blocked(graph, passes, id)
    }
}

/// The packed matrices of a plan, in its order.
#[derive(Debug)]
struct Selection<T>(Vec<Arc<Packed<T>>>);

impl<T: Vectorised> Selected for Selection<T> {
    fn sizes(&self) -> Vec<(usize, usize)> {
        let size = |packed: &Arc<Packed<T>>| (Arc::as_ptr(packed).addr(), packed.bytes());
        self.0.iter().map(size).collect()
    }
}

impl<T: Vectorised> Executable<T> for Planned<T> {
    fn run(
        &self,
        workspace: &mut Workspace<T>,
        selected: Option<&dyn Selected>,
        arguments: &[Argument<'_, T>],
        results: &mut [&mut [T]],
    ) -> Result<()> {
        let packed = match selected {
            None => &[][..],
            Some(selected) => match (selected as &dyn Any).downcast_ref::<Selection<T>>() {
                Some(selection) => &selection.0,
                None => return Err(NOT_PACKED),
            },
        };
        if packed.len() != self.plan.packed.len() {
            return Err(NOT_PACKED);
        }
        workspace.lend(|memory: &mut Memory<T>| {
            memory.run(&self.plan, &self.constants, packed, arguments, results);
        });
        Ok(())
    }

    fn select<'a>(
        &self,
        prepared: &dyn Fn(usize) -> Option<&'a dyn Prepared>,
    ) -> Result<Option<Box<dyn Selected>>> {
        if self.plan.packed.is_empty() {
            return Ok(None);
        }
        let packed = self.plan.packed.iter().map(|&(input, lines)| {
            let matrix = prepared(input).ok_or(NOT_PACKED)?;
            let matrix = (matrix as &dyn Any).downcast_ref::<Packable<T>>();
            Ok(matrix.ok_or(NOT_PACKED)?.packed(lines, self.plan.partition))
        });
        Ok(Some(Box::new(Selection(packed.collect::<Result<_>>()?))))
    }

    fn cost(&self, threads: usize) -> Cost {
        self.plan.cost(size_of::<T>(), threads)
    }

    fn footprint(&self, threads: usize) -> Footprint {
        self.plan.memory(threads)
    }

    fn partition(&self) -> Option<Partition> {
        Some(self.plan.partition)
    }

    fn reads(&self, argument: usize) -> bool {
        self.plan.reads.get(argument).is_none_or(|&reads| reads)
    }
}

const NOT_PACKED: Error = Error::Plan {
    what: "it multiplies by packed matrices, and was given others",
};
