//! What calls of a traced objective cost, known before the first.

use std::sync::Arc;

use super::Traced;
use super::programs::Programs;
use crate::error::Result;
use crate::graph::{Graph, NodeId};
use crate::program::Program;
use crate::runtime::cpu::kernel::Real;
use crate::runtime::{Cost, Footprint};

/// What a method asks of a traced objective, each one program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// h.
    Value,
    /// ∇_y h.
    GradY,
    /// ∇_x h.
    GradX,
    /// ∇²_yy h·v and ∇²_xy h·v.
    Pull,
    /// ∇²_yy h·dy + ∇²_yx h·dx.
    Push,
    /// ∇_y h with what the products need.
    Linearize,
    /// The products of [`Call::Pull`] from it.
    PullTape,
}

impl<T: Real> Traced<T> {
    /// What one call costs with so many threads, on a batch where there is one; known before the first.
    ///
    /// # Errors
    /// If its program cannot be compiled.
    pub fn cost(&self, call: Call, threads: usize) -> Result<Cost> {
        let programs = self.programs(self.batched.is_some())?;
        Ok(program(programs, call)?.cost(threads))
    }

    /// Bytes of a handle (see [`Objective::at`](bilevel::Objective::at)) that makes these calls with so many
    /// threads, on batches where there are any: the memory in which its programs run one after the other, and
    /// what it keeps of x.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn handle_bytes(&self, calls: &[Call], threads: usize) -> Result<usize> {
        let batched = self.batched.is_some();
        let (variant, _) = self.variant(batched);
        let programs = self.programs(batched)?;
        let staged = &variant.staged;
        let mut memory = Footprint::default();
        for &call in calls {
            memory = memory.with(program(programs, call)?.memory(threads));
        }
        let rho: usize = lens(&staged.rho, &staged.rho.outputs).sum();
        if rho > 0 {
            memory = memory.with(programs.rho()?.memory(threads));
            memory = memory.with(programs.unstage()?.memory(threads));
        }
        let on_x = staged.crossing.iter().filter(|c| c.depends_on_x);
        let bars: usize = on_x.map(|crossing| crossing.len).sum();
        let indices = self
            .batch
            .map_or(0, |batch| batch * (1 + self.data.labels.len()));
        Ok((memory.numbers() + rho + bars) * size_of::<T>() + indices * size_of::<u32>())
    }

    /// How many numbers one linearisation keeps.
    ///
    /// # Errors
    /// If its program cannot be compiled.
    pub fn tape_numbers(&self) -> Result<usize> {
        let programs = self.programs(self.batched.is_some())?;
        Ok(programs.tape()?.lens.iter().sum())
    }

    /// Bytes of the packed forms of matrices with many zeros that the programs of these calls multiply by, beside
    /// those of the data; on batches there are none.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn packed_bytes(&self, calls: &[Call]) -> Result<usize> {
        let programs = self.programs(self.batched.is_some())?;
        let mut all = Vec::new();
        for &call in calls {
            for packed in program(programs, call)?.packed() {
                if !all.iter().any(|known| Arc::ptr_eq(known, packed)) {
                    all.push(packed.clone());
                }
            }
        }
        Ok(all.iter().map(|packed| packed.bytes()).sum())
    }

    /// Bytes of the data.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        let tensors = self
            .data
            .tensors
            .iter()
            .map(|tensor| size_of_val(&*tensor.values));
        let labels = self
            .data
            .labels
            .iter()
            .map(|(_, labels)| size_of_val(&**labels));
        let columns = self.data.columns.iter().map(|of| size_of_val(&**of));
        tensors.chain(labels).chain(columns).sum()
    }
}

fn program<T: Real>(programs: &Programs<T>, call: Call) -> Result<&Program<T>> {
    match call {
        Call::Value => programs.value(),
        Call::GradY => programs.grad_y(),
        Call::GradX => programs.grad_x(),
        Call::Pull => programs.pull(),
        Call::Push => programs.push(),
        Call::Linearize => Ok(&programs.tape()?.linearize),
        Call::PullTape => Ok(&programs.tape()?.pull),
    }
}

fn lens<'g>(graph: &'g Graph, ids: &'g [NodeId]) -> impl Iterator<Item = usize> + 'g {
    ids.iter().map(|&id| graph.node(id).len())
}
