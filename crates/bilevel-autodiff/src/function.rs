//! A traced function of (x, y) as an [`Objective`] of `bilevel`.

mod arguments;
mod at;
mod columns;
mod cost;
mod data;
mod products;
mod programs;
mod stage;

pub use cost::Call;
pub use data::{Data, Inputs};

use std::sync::{Arc, OnceLock};

use bilevel::objective::AtX;
use bilevel::{Layout, Objective};

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use crate::program::bound;
use crate::runtime::Passes;
use crate::runtime::cpu::kernel::Real;
use crate::runtime::cpu::packed::Packable;
use crate::trace::{Tracer, Var};
use data::Tensor;
use programs::Programs;
use stage::Staged;

/// h(x, y; draw) from a closure that is traced once, with all derivatives that the methods ask for.
///
/// What depends on x alone is found and computed once for each x, not once for each step. The
/// gradient is one program; both second-order products are one program more, in mixed mode. Programs
/// are compiled when they are first needed.
///
/// ```
/// use bilevel::{Draw, Layout, Objective, objective::AtX};
/// use bilevel_autodiff::{Data, Traced};
/// // h = mean_i σ(x_i) (a_i·y − b_i)² / 2
/// let data = Data::<f64>::new(2).rows("a", vec![1.0, 0.0, 0.0, 1.0], &[2]).rows("b", vec![1.0, 2.0], &[]);
/// let h = Traced::new(Layout::vector("x", 2), Layout::vector("y", 2), data, None, |v| {
///     let residual = v.data("a").matmul(v.y("y").reshape(&[2, 1])).reshape(&[v.rows()]) - v.data("b");
///     (v.x_rows("x").sigmoid() * residual.square() * 0.5).mean()
/// })?;
/// let mut gradient = [0.0; 2];
/// h.at(&[0.0; 2])?.grad_y(&[0.0; 2], Draw::All, &mut gradient)?;
/// assert_eq!(gradient, [-0.25, -0.5]);
/// # Ok::<(), bilevel::Error>(())
/// ```
pub struct Traced<T> {
    x_layout: Layout,
    y_layout: Layout,
    data: Data<T>,
    batch: Option<usize>,
    depends_on_x: bool,
    settings: Settings,
    all: Variant<T>,
    batched: Option<Variant<T>>,
}

/// How an objective is compiled; the defaults are for use, the rest for comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The passes of its programs.
    pub passes: Passes,
    /// Whether work on x alone is done once for each x.
    pub staged: bool,
    /// Whether products leave out columns of the data that are zero in every row. (0·y is 0 then, for an
    /// infinite y too.)
    pub columns: bool,
    /// Whether products with data on all rows leave out most of the zeros of matrices with many. (As above.)
    pub sparse: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            passes: Passes::default(),
            staged: true,
            columns: true,
            sparse: true,
        }
    }
}

/// The objective on all rows, or on a batch of them.
struct Variant<T> {
    staged: Staged,
    programs: OnceLock<Result<Programs<T>>>,
}

/// The inputs of a traced objective, in the order of the arguments.
#[derive(Clone, Debug, Default)]
struct Roles {
    x: Vec<NodeId>,
    y: Vec<NodeId>,
    data: Vec<NodeId>,
    labels: Vec<NodeId>,
    /// Numbers of the columns of tensors without those that are zero.
    columns: Vec<NodeId>,
    batch: Option<NodeId>,
}

/// An objective as it was traced.
struct Source {
    graph: Graph,
    roles: Roles,
}

impl<T: Real> Traced<T> {
    /// Traces `function`, which gives a scalar from the parts of x and y and from the data. With a
    /// `batch` it is traced a second time for so many rows, whose numbers a
    /// [`Draw`](bilevel::Draw) says.
    ///
    /// # Errors
    /// The first operation that makes no sense, with its line; [`Error::NotScalar`]; data whose
    /// lengths do not fit; [`Error::Index`] for a label that is not below the number of classes it selects
    /// from; a batch that is empty or larger than the number of rows.
    pub fn new(
        x_layout: Layout,
        y_layout: Layout,
        data: Data<T>,
        batch: Option<usize>,
        function: impl for<'t> Fn(&Inputs<'t>) -> Var<'t>,
    ) -> Result<Self> {
        Self::with(
            x_layout,
            y_layout,
            data,
            batch,
            Settings::default(),
            function,
        )
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// As [`Traced::new`].
    pub fn with(
        x_layout: Layout,
        y_layout: Layout,
        data: Data<T>,
        batch: Option<usize>,
        settings: Settings,
        function: impl for<'t> Fn(&Inputs<'t>) -> Var<'t>,
    ) -> Result<Self> {
        data.check()?;
        let rows = data.row_count();
        if let Some(batch) = batch
            && !(1..=rows).contains(&batch)
        {
            return Err(Error::Setting {
                field: "batch",
                range: "at least 1 and at most the number of rows",
                value: format!("{batch} with {rows} rows"),
            });
        }
        let batch = batch.filter(|&batch| batch < rows);
        let mut sources = Vec::with_capacity(2);
        for batch in std::iter::once(None).chain(batch.map(Some)) {
            let source = trace(&x_layout, &y_layout, &data, batch, &function)?;
            expect_labels(&data, &source)?;
            sources.push(source);
        }
        let mut data = data;
        if settings.columns {
            leave_out_columns(&mut data, &mut sources)?;
        }
        let depends = sources[0].graph.depends_on(&sources[0].roles.x);
        let depends_on_x = depends[sources[0].graph.outputs[0].index()];
        let mut variants = Vec::with_capacity(2);
        for source in &sources {
            variants.push(Variant {
                staged: Staged::new(source, settings.staged)?,
                programs: OnceLock::new(),
            });
        }
        let batched = batch.and_then(|_| variants.pop());
        let Some(all) = variants.pop() else {
            return Err(Error::NotScalar { shape: Vec::new() });
        };
        Ok(Self {
            batch,
            depends_on_x,
            settings,
            all,
            batched,
            x_layout,
            y_layout,
            data,
        })
    }

    fn variant(&self, batched: bool) -> (&Variant<T>, bool) {
        match &self.batched {
            Some(variant) if batched => (variant, true),
            _ => (&self.all, false),
        }
    }

    /// The tensors that are matrices with many zeros.
    fn sparse(&self) -> Vec<Option<Arc<Packable<T>>>> {
        let sparse = |tensor: &Tensor<T>| match *tensor.shape {
            [_, columns] if self.settings.sparse => Packable::of(&tensor.values, columns),
            _ => None,
        };
        let tensors = self.data.tensors.iter();
        tensors.map(|tensor| sparse(tensor).map(Arc::new)).collect()
    }

    fn programs(&self, batched: bool) -> Result<&Programs<T>> {
        let (variant, batched) = self.variant(batched);
        variant
            .programs
            .get_or_init(|| {
                let sparse = if batched { Vec::new() } else { self.sparse() };
                Programs::new(&variant.staged, self.settings.passes, sparse)
            })
            .as_ref()
            .map_err(Clone::clone)
    }
}

/// Rewrites all sources to matrices of data without their zero columns, where all of them allow it.
fn leave_out_columns<T: Real>(data: &mut Data<T>, sources: &mut Vec<Source>) -> Result<()> {
    for number in 0..data.tensors.len() {
        let Some(used) = columns::used(&data.tensors[number]) else {
            continue;
        };
        let rewritten = sources
            .iter()
            .map(|source| columns::rewrite(source, number, used.len()))
            .collect::<Result<Option<Vec<Source>>>>()?;
        if let Some(rewritten) = rewritten {
            *sources = rewritten;
            data.tensors[number] = columns::compact(&data.tensors[number], &used);
            data.columns.push(used);
        }
    }
    Ok(())
}

fn trace<T: Real>(
    x_layout: &Layout,
    y_layout: &Layout,
    data: &Data<T>,
    batch: Option<usize>,
    function: &dyn for<'t> Fn(&Inputs<'t>) -> Var<'t>,
) -> Result<Source> {
    let tracer = Tracer::default();
    let inputs = Inputs::new(&tracer, x_layout, y_layout, data, batch);
    let output = function(&inputs);
    let roles = inputs.roles();
    let graph = tracer.finish(&[output])?;
    let shape = graph.outputs.first().map(|&id| graph.shape(id).to_vec());
    match shape {
        Some(shape) if shape.iter().product::<usize>() == 1 => Ok(Source { graph, roles }),
        shape => Err(Error::NotScalar {
            shape: shape.unwrap_or_default(),
        }),
    }
}

/// Every label has to be below the size of the axes that it selects from.
fn expect_labels<T: Real>(data: &Data<T>, source: &Source) -> Result<()> {
    for ((name, labels), &input) in data.labels.iter().zip(&source.roles.labels) {
        let size = bound(&source.graph, input);
        if let Some(place) = labels.iter().position(|&label| label as usize >= size) {
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

impl<T: Real> Objective<T> for Traced<T> {
    fn x_layout(&self) -> &Layout {
        &self.x_layout
    }

    fn y_layout(&self) -> &Layout {
        &self.y_layout
    }

    fn depends_on_x(&self) -> bool {
        self.depends_on_x
    }

    fn has_second_order(&self) -> bool {
        true
    }

    fn has_tape(&self) -> bool {
        true
    }

    fn at<'a>(&'a self, x: &'a [T]) -> bilevel::Result<Box<dyn AtX<T> + 'a>> {
        at::expect("x", self.x_layout.len(), x.len())?;
        Ok(Box::new(at::TracedAtX::new(self, x)))
    }
}
