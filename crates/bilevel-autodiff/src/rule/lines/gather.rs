//! (data, index): the elements `index[…]` of an axis.

use super::*;

pub(super) struct Gather {
    pub(super) axis: usize,
}

impl Line for Gather {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }
}

impl Primitive for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let (a, index) = (operands[0], operands[1]);
        expect_dtype(index, DType::Index)?;
        expect_axis(a, self.axis)?;
        expect_dtype(a, DType::Real)?;
        let fits = a.shape.len() == index.shape.len()
            && (0..a.shape.len()).all(|i| i == self.axis || a.shape[i] == index.shape[i]);
        if !fits {
            return Err(shape_fault(format!(
                "indices in a shape that differs on axis {} alone",
                self.axis
            )));
        }
        Ok((index.shape.clone(), DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        linear(graph, at, tangents)
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let back = Op::Lines(Lines::Scatter {
            axis: self.axis,
            size: graph.shape(at.operand(0))[self.axis],
        });
        let cotangent = graph.push(back, &[bar, at.operand(1)])?;
        Ok(vec![Some(cotangent), None])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let index = checked(operands[1].value.index(), a.shape[self.axis])?;
        let places = all(node).zip(index).map(|(mut at, &i)| {
            at[self.axis] = i as usize;
            place(&at, &a.shape)
        });
        Ok(value.select(places))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }

    fn selects(&self, operands: &[&Node]) -> Option<usize> {
        Some(operands[0].shape[self.axis])
    }
}

/// A case with any numbers.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let size = shape[axis];
    let mut index = shape.clone();
    index[axis] = if size == 0 { 0 } else { draw.below(5) };
    let operands = vec![(shape, Numbers::Any), (index, Numbers::Index(size))];
    Some(Sample::of(Op::Lines(Lines::Gather { axis }), operands))
}
