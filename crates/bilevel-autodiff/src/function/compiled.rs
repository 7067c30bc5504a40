//! A function for given shapes: traced, cut, differentiated and compiled, without data.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bilevel::objective::AtX;
use bilevel::{Layout, Objective};

use super::programs::Programs;
use super::settings::Settings;
use super::shapes::Shapes;
use super::source::Source;
use super::stage::Staged;
use crate::error::{Error, Result};
use crate::graph::Op;
use crate::real::Real;
use crate::runtime::matrix::padded;
use crate::runtime::{Fill, Form, Workspace};

/// A [`Function`](super::Function) for given shapes. Its programs are compiled when they are first needed.
///
/// Its cost is known without data: [`Compiled::cost`]. It is an objective with shapes but without data, so that a
/// method can be asked whether it fits and what it needs; [`Objective::at`] returns an error.
pub struct Compiled<T> {
    pub(super) x_layout: Layout,
    pub(super) y_layout: Layout,
    pub(super) shapes: Shapes,
    /// For each data tensor, the number of kept columns, if some are left out.
    pub(super) kept_columns: Vec<Option<usize>>,
    /// The exclusive upper bound of each list of labels.
    pub(super) label_bounds: Vec<usize>,
    /// The shape of the result.
    shape: Vec<usize>,
    depends_on_x: bool,
    all: Variant<T>,
    batched: Option<Variant<T>>,
    /// The memory of handles that are gone, for the next ones; None where handles free it. Networks on pictures have
    /// thousands of tasks of the same shapes, and megabytes of new memory take longer than the arithmetic of one.
    spare: Option<Mutex<Spare<T>>>,
}

/// Memory of handles that are gone.
struct Spare<T> {
    workspaces: Vec<Workspace<T>>,
    buffers: Vec<Vec<T>>,
}

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self {
            workspaces: Vec::new(),
            buffers: Vec::new(),
        }
    }
}

/// The function on all rows, or on a batch.
pub(super) struct Variant<T> {
    pub(super) staged: Staged,
    pub(super) programs: Programs<T>,
}

impl<T> Compiled<T> {
    fn spare(&self) -> Option<MutexGuard<'_, Spare<T>>> {
        // A panic elsewhere leaves nothing half done.
        let spare = self.spare.as_ref()?;
        Some(spare.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The memory of a new handle.
    pub(super) fn workspace(&self) -> Workspace<T> {
        let workspace = self.spare().and_then(|mut spare| spare.workspaces.pop());
        workspace.unwrap_or_default()
    }

    /// Keeps the memory of a handle that is gone, if it is worth it.
    pub(super) fn keep(&self, workspace: Workspace<T>, buffers: Vec<Vec<T>>) {
        if let Some(mut spare) = self.spare() {
            spare.workspaces.push(workspace);
            spare.buffers.extend(buffers);
        }
    }
}

impl<T: Real> Compiled<T> {
    /// Buffers of these lengths, with any numbers.
    pub(super) fn buffers(&self, lens: &[usize]) -> Vec<Vec<T>> {
        let mut spare = self.spare();
        let mut buffer = |&len: &usize| {
            let known = spare.as_mut().and_then(|spare| {
                let place = spare.buffers.iter().position(|b| b.len() == len)?;
                Some(spare.buffers.swap_remove(place))
            });
            known.unwrap_or_else(|| vec![T::zero(); len])
        };
        lens.iter().map(&mut buffer).collect()
    }

    /// From a function traced on all rows and, if batches are smaller, on a batch.
    pub(super) fn new(
        (x_layout, y_layout): (&Layout, &Layout),
        shapes: &Shapes,
        (all, batched): (&Source, Option<&Source>),
        kept_columns: Vec<Option<usize>>,
        fills: &[Option<Fill>],
        settings: Settings,
        compiled: &Arc<AtomicUsize>,
    ) -> Result<Self> {
        let forms = |fills: &[Option<Fill>]| -> Vec<Form> {
            let form = |(number, &kept): (usize, &Option<usize>)| Form {
                // A matrix with columns left out is a copy.
                stride: kept.map(padded::<T>),
                fill: fills.get(number).copied().flatten(),
                ..Form::default()
            };
            kept_columns.iter().enumerate().map(form).collect()
        };
        let variant = |source: &Source, fills: &[Option<Fill>]| -> Result<Variant<T>> {
            let staged = Staged::new(source, settings.staged)?;
            let programs = Programs::new(&staged, settings, &forms(fills), compiled.clone());
            Ok(Variant { staged, programs })
        };
        let mut label_bounds = all.label_bounds();
        if let Some(batched) = batched {
            for (all, batch) in label_bounds.iter_mut().zip(batched.label_bounds()) {
                *all = (*all).min(batch);
            }
        }
        let depends = all.graph.depends_on(&all.roles.x);
        let output = all.graph.outputs[0];
        let nodes = all.graph.nodes().iter();
        let keeps = nodes
            .map(|node| &node.op)
            .any(|op| matches!(op, Op::Conv { .. }));
        Ok(Self {
            shape: all.graph.shape(output).to_vec(),
            depends_on_x: depends[output.index()],
            x_layout: x_layout.clone(),
            y_layout: y_layout.clone(),
            shapes: shapes.clone(),
            label_bounds,
            all: variant(all, fills)?,
            // A batch has other rows at each step, so nothing is packed.
            batched: batched.map(|source| variant(source, &[])).transpose()?,
            kept_columns,
            spare: keeps.then(Mutex::default),
        })
    }

    /// The variant for batches if `batched` and there is one, else for all rows.
    pub(super) fn variant(&self, batched: bool) -> &Variant<T> {
        self.batched
            .as_ref()
            .filter(|_| batched)
            .unwrap_or(&self.all)
    }

    /// The shape of the result on all rows.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Fails unless the result is one number, as for an objective.
    pub(super) fn expect_scalar(&self) -> Result<()> {
        if self.shape.iter().product::<usize>() == 1 {
            Ok(())
        } else {
            Err(Error::NotScalar {
                shape: self.shape.clone(),
            })
        }
    }

    pub(super) fn depends_on_x(&self) -> bool {
        self.depends_on_x
    }

    /// The number of rows of a batch, if batches are smaller than all rows.
    pub(super) fn batch(&self) -> Option<usize> {
        self.batched.as_ref().and(self.shapes.smaller_batch())
    }

    /// Fails if a label is not below its bound.
    pub(super) fn expect_labels(&self, labels: &[Arc<[u32]>]) -> Result<()> {
        let named = self.shapes.labels.iter().zip(&self.label_bounds);
        for ((name, &size), labels) in named.zip(labels) {
            // A maximum needs no branch per label, and most labels are valid.
            let largest = labels.iter().copied().max();
            if largest.is_some_and(|largest| largest as usize >= size)
                && let Some(place) = labels.iter().position(|&label| label as usize >= size)
            {
                return Err(Error::Index {
                    what: format!("the labels {name:?}"),
                    place,
                    index: labels[place],
                    size,
                });
            }
        }
        Ok(())
    }
}

impl<T: Real> Objective<T> for Compiled<T> {
    fn x_layout(&self) -> &Layout {
        &self.x_layout
    }

    fn y_layout(&self) -> &Layout {
        &self.y_layout
    }

    fn depends_on_x(&self) -> bool {
        self.depends_on_x()
    }

    fn has_second_order(&self) -> bool {
        true
    }

    fn has_tape(&self) -> bool {
        true
    }

    fn at<'a>(&'a self, _: &'a [T]) -> bilevel::Result<Box<dyn AtX<T> + 'a>> {
        Err(Error::NotBound.into())
    }
}
