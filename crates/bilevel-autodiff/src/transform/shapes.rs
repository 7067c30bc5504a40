//! Checks of the arguments of transforms.

use crate::error::{Error, Fault, Result};
use crate::graph::{DType, Graph, NodeId};

/// Fails unless the second node of each pair holds real numbers in the shape of the first.
pub(super) fn expect_same_shapes(
    graph: &Graph,
    operation: &'static str,
    pairs: &[(NodeId, NodeId)],
) -> Result<()> {
    for &(id, other) in pairs {
        let (node, other) = (graph.node(id), graph.node(other));
        let fault = if other.dtype != DType::Real {
            Fault::DType {
                expected: DType::Real,
                found: other.dtype,
            }
        } else if node.shape != other.shape {
            Fault::Shape {
                expected: "a derivative in the shape of its node".to_owned(),
            }
        } else {
            continue;
        };
        return Err(Error::Operation {
            operation,
            operands: vec![node.shape.clone(), other.shape.clone()],
            fault,
            location: None,
        });
    }
    Ok(())
}
