//! A function for one set of shapes.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bilevel::Layout;

use super::columns;
use super::compiled::Compiled;
use super::settings::Settings;
use super::shapes::Shapes;
use super::source::{Closure, Source};
use crate::error::Result;
use crate::real::Real;
use crate::runtime::Fill;

/// A function traced for these shapes, and its compiled forms.
pub(super) struct Known<T> {
    x: Layout,
    y: Layout,
    shapes: Shapes,
    /// The traced function, and its rewrites to fewer columns, by the requested number of columns of each tensor.
    sources: Vec<(Vec<Option<usize>>, Arc<Sources>)>,
    compiled: Vec<ForData<T>>,
}

/// The function compiled for certain data of these shapes.
struct ForData<T> {
    /// The requested number of columns of each tensor.
    counts: Vec<Option<usize>>,
    /// The density of the packed form of each tensor.
    fills: Vec<Option<Fill>>,
    compiled: Arc<Compiled<T>>,
}

/// A function on all rows, and on a batch if batches are smaller.
#[derive(Clone)]
pub(super) struct Sources {
    all: Source,
    batched: Option<Source>,
    /// The number of columns kept of each tensor, if columns are left out.
    pub(super) kept: Vec<Option<usize>>,
}

impl<T: Real> Known<T> {
    /// Traces the closure.
    pub(super) fn trace(
        closure: &Closure,
        x: &Layout,
        y: &Layout,
        shapes: &Shapes,
    ) -> Result<Self> {
        let trace = |batch| Source::trace(closure, (x, y), shapes, batch);
        let none = vec![None; shapes.tensors.len()];
        let traced = Sources {
            all: trace(None)?,
            batched: shapes
                .smaller_batch()
                .map(|batch| trace(Some(batch)))
                .transpose()?,
            kept: none.clone(),
        };
        Ok(Self {
            x: x.clone(),
            y: y.clone(),
            shapes: shapes.clone(),
            sources: vec![(none, Arc::new(traced))],
            compiled: Vec::new(),
        })
    }

    pub(super) fn is_for(&self, x: &Layout, y: &Layout, shapes: &Shapes) -> bool {
        self.shapes == *shapes && self.y == *y && self.x == *x
    }

    /// The function on this number of columns of each tensor, for tensors that allow it.
    pub(super) fn sources(&mut self, counts: &[Option<usize>]) -> Result<Arc<Sources>> {
        if let Some((_, known)) = self.sources.iter().find(|(of, _)| of == counts) {
            return Ok(known.clone());
        }
        let mut sources = (*self.sources[0].1).clone();
        for (number, count) in counts.iter().enumerate() {
            let Some(count) = *count else { continue };
            let Some(all) = columns::rewrite(&sources.all, number, count)? else {
                continue;
            };
            let batched = match &sources.batched {
                Some(batched) => match columns::rewrite(batched, number, count)? {
                    Some(batched) => Some(batched),
                    None => continue,
                },
                None => None,
            };
            (sources.all, sources.batched) = (all, batched);
            sources.kept[number] = Some(count);
        }
        let sources = Arc::new(sources);
        self.sources.push((counts.to_vec(), sources.clone()));
        Ok(sources)
    }

    /// The function on this number of columns of each tensor, compiled for data of this density.
    pub(super) fn compiled(
        &mut self,
        counts: &[Option<usize>],
        fills: &[Option<Fill>],
        settings: Settings,
        programs: &Arc<AtomicUsize>,
    ) -> Result<Arc<Compiled<T>>> {
        let mut all = self.compiled.iter();
        if let Some(known) = all.find(|known| known.counts == counts && known.fills == fills) {
            return Ok(known.compiled.clone());
        }
        let sources = self.sources(counts)?;
        let compiled = Arc::new(Compiled::new(
            (&self.x, &self.y),
            &self.shapes,
            (&sources.all, sources.batched.as_ref()),
            sources.kept.clone(),
            fills,
            settings,
            programs,
        )?);
        self.compiled.push(ForData {
            counts: counts.to_vec(),
            fills: fills.to_vec(),
            compiled: compiled.clone(),
        });
        Ok(compiled)
    }
}
