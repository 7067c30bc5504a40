//! The closure's access to x, y and the data.

use bilevel::Layout;

use super::roles::Roles;
use super::shapes::Shapes;
use crate::error::{Error, Fault};
use crate::graph::DType;
use crate::trace::{Tracer, Var};

/// The argument of a function's closure: the parts of x and y, by their names in the layouts, and the
/// data, by name. An unknown name is an error of the trace.
#[derive(Debug)]
pub struct Inputs<'t> {
    tracer: &'t Tracer,
    /// The number of rows of the data, and of the rows seen here.
    all_rows: usize,
    rows: usize,
    batch: Option<Var<'t>>,
    x: Vec<(String, Var<'t>)>,
    y: Vec<(String, Var<'t>)>,
    data: Vec<(String, Var<'t>, bool)>,
    labels: Vec<(String, Var<'t>)>,
}

impl<'t> Inputs<'t> {
    /// With a `batch`, for a batch of this number of rows.
    pub(super) fn new(
        tracer: &'t Tracer,
        x_layout: &Layout,
        y_layout: &Layout,
        shapes: &Shapes,
        batch: Option<usize>,
    ) -> Self {
        let rows = batch.unwrap_or(shapes.rows);
        let parts = |layout: &Layout| {
            let part = |part: &bilevel::Part| {
                (
                    part.name.clone(),
                    tracer.input(part.shape.clone(), DType::Real),
                )
            };
            layout.parts().iter().map(part).collect()
        };
        let (x, y) = (parts(x_layout), parts(y_layout));
        let tensors = shapes
            .tensors
            .iter()
            .map(|tensor| {
                let var = tracer.input(tensor.shape.clone(), DType::Real);
                (tensor.name.clone(), var, tensor.by_row)
            })
            .collect();
        let labels = shapes
            .labels
            .iter()
            .map(|name| (name.clone(), tracer.input(vec![rows], DType::Index)))
            .collect();
        Self {
            tracer,
            all_rows: shapes.rows,
            rows,
            batch: batch.map(|batch| tracer.input(vec![batch], DType::Index)),
            x,
            y,
            data: tensors,
            labels,
        }
    }

    pub(super) fn roles(&self) -> Roles {
        let ids = |vars: &mut dyn Iterator<Item = &Var<'t>>| vars.filter_map(|v| v.id()).collect();
        Roles {
            x: ids(&mut self.x.iter().map(|(_, var)| var)),
            y: ids(&mut self.y.iter().map(|(_, var)| var)),
            data: ids(&mut self.data.iter().map(|(_, var, _)| var)),
            labels: ids(&mut self.labels.iter().map(|(_, var)| var)),
            columns: Vec::new(),
            batch: self.batch.and_then(Var::id),
        }
    }

    /// The number of rows seen here: all rows of the data, or those of a batch.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A part of x.
    #[track_caller]
    #[must_use]
    pub fn x(&self, name: &str) -> Var<'t> {
        self.find("part of x", name, &self.x)
    }

    /// A part of x with a row for each row of the data; in a batch, only the rows of the batch.
    #[track_caller]
    #[must_use]
    pub fn x_rows(&self, name: &str) -> Var<'t> {
        let var = self.find("part of x", name, &self.x);
        let shape = var.shape();
        if shape.first() != Some(&self.all_rows) {
            // Only the first error is kept.
            return self.tracer.fail(Error::Operation {
                operation: "x_rows",
                operands: vec![shape],
                fault: Fault::Shape {
                    expected: format!("a row for each of the {} rows of the data", self.all_rows),
                },
                location: Some(std::panic::Location::caller()),
            });
        }
        match self.batch {
            Some(batch) => var.take_rows(batch),
            None => var,
        }
    }

    /// A part of y.
    #[track_caller]
    #[must_use]
    pub fn y(&self, name: &str) -> Var<'t> {
        self.find("part of y", name, &self.y)
    }

    /// A tensor of the data; in a batch, only the rows of the batch, if the tensor has rows.
    #[track_caller]
    #[must_use]
    pub fn data(&self, name: &str) -> Var<'t> {
        match self.data.iter().find(|(own, ..)| own == name) {
            Some(&(_, var, by_row)) => match self.batch {
                Some(batch) if by_row => var.take_rows(batch),
                _ => var,
            },
            None => {
                let known: Vec<(String, Var<'t>)> =
                    self.data.iter().map(|(n, v, _)| (n.clone(), *v)).collect();
                self.find("data", name, &known)
            }
        }
    }

    /// Labels of the rows.
    #[track_caller]
    #[must_use]
    pub fn labels(&self, name: &str) -> Var<'t> {
        self.find("labels", name, &self.labels)
    }

    /// A scalar constant.
    #[must_use]
    pub fn number(&self, value: f64) -> Var<'t> {
        self.tracer.constant(value)
    }

    #[track_caller]
    fn find(&self, what: &'static str, name: &str, among: &[(String, Var<'t>)]) -> Var<'t> {
        if let Some(&(_, var)) = among.iter().find(|(own, _)| own == name) {
            return var;
        }
        let known: Vec<&str> = among.iter().map(|(own, _)| own.as_str()).collect();
        // Not in a closure: `Location::caller` would return this line.
        self.tracer.fail(Error::Operation {
            operation: "input",
            operands: Vec::new(),
            fault: Fault::Unknown {
                what,
                name: name.to_owned(),
                known: format!("{known:?}"),
            },
            location: Some(std::panic::Location::caller()),
        })
    }
}
