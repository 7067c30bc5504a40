//! The problem to solve: two objectives, and where training starts.

use std::sync::Arc;

use crate::error::expect_length;
use crate::objective::Objective;
use crate::vector::axpy;
use crate::{Error, Key, Result, Role, Scalar};

/// minimise over x  f(x, y_K(x)),  where y_K(x) is the result of K steps of training on
/// g(x, ·) from the start y_0(x).
#[derive(Clone)]
pub struct Problem<T> {
    inner: Arc<dyn Objective<T>>,
    outer: Arc<dyn Objective<T>>,
    start: Arc<dyn Start<T>>,
}

impl<T: Scalar> Problem<T> {
    /// A problem from the inner objective g, the outer objective f and the start of
    /// training.
    ///
    /// # Errors
    /// [`Error::Length`](crate::Error::Length) if the two objectives disagree about x or
    /// y, or the start has another length.
    pub fn new(
        inner: impl Objective<T> + 'static,
        outer: impl Objective<T> + 'static,
        start: impl Start<T> + 'static,
    ) -> Result<Self> {
        Self::from_shared(Arc::new(inner), Arc::new(outer), Arc::new(start))
    }

    /// The same, from shared objectives and start.
    ///
    /// # Errors
    /// As [`Problem::new`].
    pub fn from_shared(
        inner: Arc<dyn Objective<T>>,
        outer: Arc<dyn Objective<T>>,
        start: Arc<dyn Start<T>>,
    ) -> Result<Self> {
        let (n, m) = (inner.x_layout().len(), inner.y_layout().len());
        expect_length("x of the outer objective", n, outer.x_layout().len())?;
        expect_length("y of the outer objective", m, outer.y_layout().len())?;
        expect_length("the start of training", m, start.y_len())?;
        Ok(Self {
            inner,
            outer,
            start,
        })
    }

    /// The inner objective g.
    #[must_use]
    pub fn inner(&self) -> &dyn Objective<T> {
        &*self.inner
    }

    /// The outer objective f.
    #[must_use]
    pub fn outer(&self) -> &dyn Objective<T> {
        &*self.outer
    }

    /// Where training starts.
    #[must_use]
    pub fn start(&self) -> &dyn Start<T> {
        &*self.start
    }

    /// Checks that the inner objective has second derivatives; with `uses_outer`, the outer one too.
    pub(crate) fn expect_second_order(
        &self,
        uses_outer: bool,
        needed_by: &'static str,
    ) -> Result<()> {
        let role = if !self.inner.has_second_order() {
            Role::Inner
        } else if uses_outer && !self.outer.has_second_order() {
            Role::Outer
        } else {
            return Ok(());
        };
        Err(Error::NoSecondOrder { role, needed_by })
    }

    /// Checks that the inner objective has the product that conjugate gradient needs.
    pub(crate) fn expect_push(&self, needed_by: &'static str) -> Result<()> {
        let role = Role::Inner;
        if self.inner.has_push() {
            Ok(())
        } else {
            Err(Error::NoPush { role, needed_by })
        }
    }

    /// n, the length of x.
    #[must_use]
    pub fn x_len(&self) -> usize {
        self.inner.x_layout().len()
    }

    /// m, the length of y.
    #[must_use]
    pub fn y_len(&self) -> usize {
        self.inner.y_layout().len()
    }
}

/// y_0(x): where training starts.
pub trait Start<T: Scalar>: Send + Sync {
    /// m, the length of y.
    fn y_len(&self) -> usize;

    /// Whether y_0 depends on x.
    fn depends_on_x(&self) -> bool;

    /// `y = y_0(x)`; `key` is the key of the outer step, for random starts.
    ///
    /// # Errors
    /// If the start cannot be computed.
    fn start(&self, x: &[T], key: Key, y: &mut [T]) -> Result<()>;

    /// `x_bar += (∂y_0/∂x)ᵀ y_bar`.
    ///
    /// # Errors
    /// If the start cannot be differentiated.
    fn pull(&self, x: &[T], key: Key, y_bar: &[T], x_bar: &mut [T]) -> Result<()>;

    /// `dy += (∂y_0/∂x) dx`.
    ///
    /// # Errors
    /// If the start cannot be differentiated.
    fn push(&self, x: &[T], key: Key, dx: &[T], dy: &mut [T]) -> Result<()>;
}

/// The same start for every x.
#[derive(Clone, Debug)]
pub struct FixedStart<T>(pub Vec<T>);

impl<T: Scalar> Start<T> for FixedStart<T> {
    fn y_len(&self) -> usize {
        self.0.len()
    }

    fn depends_on_x(&self) -> bool {
        false
    }

    fn start(&self, _: &[T], _: Key, y: &mut [T]) -> Result<()> {
        y.copy_from_slice(&self.0);
        Ok(())
    }

    fn pull(&self, _: &[T], _: Key, _: &[T], _: &mut [T]) -> Result<()> {
        Ok(())
    }

    fn push(&self, _: &[T], _: Key, _: &[T], _: &mut [T]) -> Result<()> {
        Ok(())
    }
}

/// Training starts at m consecutive numbers of x, as in MAML (arXiv 1703.03400).
#[derive(Clone, Debug)]
pub struct StartFromX {
    range: std::ops::Range<usize>,
}

impl StartFromX {
    /// y_0 is the `range` of x.
    #[must_use]
    pub fn new(range: std::ops::Range<usize>) -> Self {
        Self { range }
    }

    fn check(&self, x_len: usize) -> Result<()> {
        if self.range.end <= x_len {
            Ok(())
        } else {
            expect_length("x, which contains the start", self.range.end, x_len)
        }
    }
}

impl<T: Scalar> Start<T> for StartFromX {
    fn y_len(&self) -> usize {
        self.range.len()
    }

    fn depends_on_x(&self) -> bool {
        true
    }

    fn start(&self, x: &[T], _: Key, y: &mut [T]) -> Result<()> {
        self.check(x.len())?;
        y.copy_from_slice(&x[self.range.clone()]);
        Ok(())
    }

    fn pull(&self, _: &[T], _: Key, y_bar: &[T], x_bar: &mut [T]) -> Result<()> {
        self.check(x_bar.len())?;
        axpy(T::one(), y_bar, &mut x_bar[self.range.clone()]);
        Ok(())
    }

    fn push(&self, _: &[T], _: Key, dx: &[T], dy: &mut [T]) -> Result<()> {
        self.check(dx.len())?;
        axpy(T::one(), &dx[self.range.clone()], dy);
        Ok(())
    }
}
