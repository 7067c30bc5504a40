//! Traced functions of (x, y, data), without the data.
//!
//! You write a [`Function`] once. It is traced and compiled once for each set of shapes ([`Compiled`]); binding it
//! to data of known shapes compiles nothing ([`Bound`]), so a thousand tasks cost one compilation.

mod arguments;
mod at;
mod bound;
mod columns;
mod compiled;
mod cost;
mod data;
mod inputs;
mod known;
mod products;
mod programs;
mod roles;
mod settings;
mod shapes;
mod source;
mod stage;
mod zeros;

pub use crate::runtime::sparse::SparseRows;
pub use bound::Bound;
pub use compiled::Compiled;
pub use data::Data;
pub use inputs::Inputs;
pub use settings::Settings;
pub use shapes::Shapes;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bilevel::Layout;

use crate::error::{Error, Result};
use crate::real::Real;
use crate::runtime::matrix::Matrix;
use crate::trace::Var;
use data::Tensor;
use known::Known;
use source::Closure;

/// A function h(x, y, data) in plain arithmetic, with all derivatives that methods need.
///
/// It contains no data: [`Function::bind`] makes an objective of it, if its result is a scalar;
/// [`Function::evaluate`] returns a result of any shape. Shapes may differ from one binding to the next;
/// programs compiled for the same shapes are reused.
///
/// ```
/// use bilevel::Layout;
/// use bilevel_autodiff::{Data, Function};
/// let mean = Function::<f64>::new(|v| (v.data("a") * v.y("y")).mean());
/// let (none, y) = (Layout::new::<String>([]), Layout::vector("y", 1));
/// let bind = |rows: Vec<f64>| mean.bind(&none, &y, Data::new(rows.len()).rows("a", rows, &[1]));
/// let first = bind(vec![1.0, 2.0])?;
/// let second = bind(vec![3.0, 4.0])?;
/// // The same shapes: nothing is traced or compiled for the second.
/// assert!(std::ptr::eq(first.compiled(), second.compiled()));
/// # Ok::<(), bilevel_autodiff::Error>(())
/// ```
pub struct Function<T> {
    closure: Box<Closure>,
    settings: Settings,
    known: Mutex<Vec<Known<T>>>,
    programs: Arc<AtomicUsize>,
}

impl<T: Real> Function<T> {
    /// A function of the parts of x and y and of the data. The closure is traced once for each set of shapes,
    /// and must do the same each time.
    pub fn new(closure: impl for<'t> Fn(&Inputs<'t>) -> Var<'t> + Send + Sync + 'static) -> Self {
        Self::with(Settings::default(), closure)
    }

    /// The same function with other settings.
    pub fn with(
        settings: Settings,
        closure: impl for<'t> Fn(&Inputs<'t>) -> Var<'t> + Send + Sync + 'static,
    ) -> Self {
        Self {
            closure: Box::new(closure),
            settings,
            known: Mutex::default(),
            programs: Arc::default(),
        }
    }

    /// The objective on these data, with x and y of these layouts. Values are shared; a matrix of which columns are
    /// left out is copied once.
    ///
    /// Which zeros are left out is decided here, from the shape of a matrix and its density. Data of other density may
    /// need a new compilation; matrices of few rows are used unchanged, so they never do.
    ///
    /// # Errors
    /// The first invalid operation, with its line; [`Error::NotScalar`](crate::Error::NotScalar); data of the wrong
    /// length; [`Error::Index`](crate::Error::Index) for a label that is not below the number of classes it selects
    /// from; a batch that is empty or larger than the number of rows.
    pub fn bind(&self, x: &Layout, y: &Layout, data: Data<T>) -> Result<Bound<T>> {
        let bound = self.bind_with(x, y, data, self.settings)?;
        bound.compiled.expect_scalar()?;
        Ok(bound)
    }

    /// The result for all rows of these data, row-major, for x and y of these layouts.
    ///
    /// # Errors
    /// As [`Function::bind`], but a result of any shape is allowed;
    /// [`Error::Length`](crate::Error::Length) for x or y of the wrong length.
    pub fn evaluate(
        &self,
        (x_layout, x): (&Layout, &[T]),
        (y_layout, y): (&Layout, &[T]),
        data: Data<T>,
    ) -> Result<Vec<T>> {
        for (what, layout, found) in [("x", x_layout, x), ("y", y_layout, y)] {
            if layout.len() != found.len() {
                return Err(Error::Length {
                    what: what.to_owned(),
                    expected: layout.len(),
                    found: found.len(),
                });
            }
        }
        // A single product with a matrix costs less than a copy of it, unless it is stored without its zeros.
        let sparse = data
            .tensors
            .iter()
            .any(|tensor| matches!(tensor, Tensor::Sparse(_)));
        let as_it_is = Settings {
            columns: self.settings.columns && sparse,
            sparse: self.settings.sparse && sparse,
            ..self.settings
        };
        let bound = self.bind_with(x_layout, y_layout, data, as_it_is)?;
        bound.evaluate(x, y)
    }

    fn bind_with(
        &self,
        x: &Layout,
        y: &Layout,
        data: Data<T>,
        settings: Settings,
    ) -> Result<Bound<T>> {
        data.check()?;
        let Data {
            shapes,
            tensors,
            labels,
        } = data;
        let used = zeros::columns(&shapes, &tensors, settings);
        let counts: Vec<_> = used
            .iter()
            .map(|of| of.as_ref().map(|of| of.len()))
            .collect();
        let sources = self.known(x, y, &shapes, |known| known.sources(&counts))?;
        let mut matrices = Vec::with_capacity(tensors.len());
        let mut columns = Vec::new();
        for (number, (values, used)) in tensors.into_iter().zip(used).enumerate() {
            let width = shapes.tensors[number].width();
            let used = used.filter(|_| sources.kept[number].is_some());
            matrices.push(match (values, &used) {
                (Tensor::Dense(values), Some(used)) => Matrix::of_columns(&values, width, used),
                (Tensor::Dense(values), None) => Matrix::shared(values, width),
                (Tensor::Sparse(rows), used) => Matrix::sparse(rows, used.as_deref()),
            });
            columns.extend(used);
        }
        let prepared = zeros::prepared(&shapes, &matrices, settings);
        let fills: Vec<_> = prepared
            .iter()
            .map(|matrix| matrix.as_ref().map(|matrix| matrix.fill()))
            .collect();
        let compiled = self.known(x, y, &shapes, |known| {
            known.compiled(&counts, &fills, settings, &self.programs)
        })?;
        compiled.expect_labels(&labels)?;
        Ok(Bound {
            compiled,
            tensors: matrices,
            labels,
            columns,
            prepared,
        })
    }

    /// The function compiled for data of these shapes, without leaving out zeros: its cost is known without data.
    ///
    /// # Errors
    /// As [`Function::bind`].
    pub fn compile(&self, x: &Layout, y: &Layout, shapes: &Shapes) -> Result<Arc<Compiled<T>>> {
        shapes.check()?;
        let counts = vec![None; shapes.tensors.len()];
        let fills = vec![None; shapes.tensors.len()];
        let compiled = self.known(x, y, shapes, |known| {
            known.compiled(&counts, &fills, self.settings, &self.programs)
        })?;
        compiled.expect_scalar()?;
        Ok(compiled)
    }

    /// The number of programs compiled so far, for all shapes.
    #[must_use]
    pub fn programs_compiled(&self) -> usize {
        self.programs.load(Ordering::Relaxed)
    }

    /// Traces the function for these shapes, if necessary, and calls `ask` on the result.
    fn known<R>(
        &self,
        x: &Layout,
        y: &Layout,
        shapes: &Shapes,
        ask: impl FnOnce(&mut Known<T>) -> Result<R>,
    ) -> Result<R> {
        // A panic elsewhere cannot leave the list in an invalid state.
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match all.iter().position(|known| known.is_for(x, y, shapes)) {
            Some(number) => number,
            None => {
                all.push(Known::trace(&*self.closure, x, y, shapes)?);
                all.len() - 1
            }
        };
        ask(&mut all[number])
    }
}
