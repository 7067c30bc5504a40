//! Common subexpression elimination: the same primitive of the same operands is computed once.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::{Binary, Graph, NodeId, Op};

use super::rebuild::{keep, rebuild};

pub(crate) fn common(graph: &Graph) -> Result<Graph> {
    let mut seen: HashMap<(Op, Vec<NodeId>), NodeId> = HashMap::new();
    rebuild(graph, |new, _, node, operands| {
        let mut operands = operands.to_vec();
        if matches!(node.op, Op::Binary(Binary::Add | Binary::Mul)) {
            // The order of the two operands does not change the result.
            operands.sort_unstable();
        }
        let key = (node.op.clone(), operands);
        if let Some(&id) = seen.get(&key) {
            return Ok(id);
        }
        let id = keep(new, node, &key.1)?;
        seen.insert(key, id);
        Ok(id)
    })
}
