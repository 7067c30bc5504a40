//! The cost of calls of a function, known before the first call.

use std::collections::BTreeMap;

use bilevel::Oracle;

use super::bound::Bound;
use super::compiled::Compiled;
use crate::error::Result;
use crate::graph::{Graph, NodeId};
use crate::real::Real;
use crate::runtime::matrix::Matrix;
use crate::runtime::{Cost, Footprint};

impl<T: Real> Compiled<T> {
    /// The cost of one call of an oracle with this number of threads, on a batch if there is one.
    ///
    /// # Errors
    /// If its program cannot be compiled.
    pub fn cost(&self, oracle: Oracle, threads: usize) -> Result<Cost> {
        let programs = &self.variant(true).programs;
        Ok(programs.get(oracle.into())?.cost(threads))
    }

    /// Operations in products of what depends only on x, computed once for each x, and of its derivative, applied once in a
    /// sweep back.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn staged_flops(&self, threads: usize) -> Result<f64> {
        let variant = self.variant(true);
        if variant.staged.rho.outputs.is_empty() {
            return Ok(0.0);
        }
        let (rho, unstage) = (variant.programs.rho()?, variant.programs.unstage()?);
        Ok(rho.cost(threads).product_flops + unstage.cost(threads).product_flops)
    }

    /// Bytes of a handle (see [`Objective::at`](bilevel::Objective::at)) that calls these oracles with this number of
    /// threads, on batches if there are any: the shared workspace of its programs, which run one after the other, and
    /// the values that depend only on x.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn handle_bytes(&self, oracles: &[Oracle], threads: usize) -> Result<usize> {
        let variant = self.variant(true);
        let (staged, programs) = (&variant.staged, &variant.programs);
        let mut memory = Footprint::default();
        for &oracle in oracles {
            memory = memory.with(programs.get(oracle.into())?.memory(threads));
        }
        let rho: usize = lens(&staged.rho, &staged.rho.outputs).sum();
        if rho > 0 {
            memory = memory.with(programs.rho()?.memory(threads));
            memory = memory.with(programs.unstage()?.memory(threads));
        }
        let kept: usize = match rho {
            0 => 0,
            _ => programs.kept_by_rho()?.iter().sum(),
        };
        let on_x = staged.crossing.iter().filter(|c| c.depends_on_x);
        let bars: usize = on_x.map(|crossing| crossing.len).sum();
        let lists = 1 + self.shapes.labels.len();
        let indices = self.batch().map_or(0, |batch| batch * lists);
        Ok((memory.numbers() + rho + kept + bars) * size_of::<T>() + indices * size_of::<u32>())
    }

    /// How many numbers one linearisation keeps.
    ///
    /// # Errors
    /// If its program cannot be compiled.
    pub fn tape_numbers(&self) -> Result<usize> {
        Ok(self.variant(true).programs.tape()?.lens.iter().sum())
    }

    /// Bytes of the data that the function is bound to, as stored.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        let tensors = self.shapes.tensors.iter().zip(&self.kept_columns);
        let tensors = tensors.map(|(tensor, kept)| match *kept {
            Some(kept) => {
                let numbers = Matrix::<T>::copied_numbers(tensor.shape[0], kept);
                numbers * size_of::<T>() + kept * size_of::<u32>()
            }
            None => tensor.len() * size_of::<T>(),
        });
        let labels = self.shapes.labels.len() * self.shapes.rows * size_of::<u32>();
        tensors.sum::<usize>() + labels
    }
}

impl<T: Real> Bound<T> {
    /// Bytes of the data, as stored. The zeros of rows without them are stored where products are not made with packed
    /// forms, see [`Bound::packed_bytes`]: in batches, or where few entries are zero.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        let whole = self.compiled.batch().is_none();
        let tensors = self.tensors.iter().zip(&self.prepared);
        let tensors = tensors.map(|(matrix, prepared)| matrix.bytes(whole && prepared.is_some()));
        let columns = self.columns.iter().map(|of| size_of_val(&**of));
        let labels = self.labels.iter().map(|of| size_of_val(&**of));
        tensors.chain(columns).chain(labels).sum()
    }

    /// Bytes of the packed forms of matrices with many zeros that the programs of these oracles use, in addition to
    /// the data; batches have none.
    ///
    /// # Errors
    /// If a program cannot be compiled.
    pub fn packed_bytes(&self, oracles: &[Oracle]) -> Result<usize> {
        let programs = &self.compiled.variant(true).programs;
        let mut all = BTreeMap::new();
        let mut kept = Vec::new();
        for &oracle in oracles {
            if let Some(selected) = self.select(programs, oracle.into())? {
                all.extend(selected.sizes());
                // While they are counted no other form can have the number of one of them.
                kept.push(selected);
            }
        }
        Ok(all.values().sum())
    }
}

fn lens<'g>(graph: &'g Graph, ids: &'g [NodeId]) -> impl Iterator<Item = usize> + 'g {
    ids.iter().map(|&id| graph.node(id).len())
}
