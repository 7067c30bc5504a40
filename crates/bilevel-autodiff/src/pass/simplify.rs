//! Local algebraic simplification: neutral elements, constants, reshapes that undo each other,
//! transposed operands of matrix products. The rules are in the records of the primitives.

use crate::error::Result;
use crate::graph::Graph;
use crate::rule;

use super::rebuild::{keep, rebuild};

pub(crate) fn simplify(graph: &Graph) -> Result<Graph> {
    rebuild(graph, |new, _, node, operands| {
        match rule::simpler(new, node, operands)? {
            Some(id) => Ok(id),
            None => keep(new, node, operands),
        }
    })
}
