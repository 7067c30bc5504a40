//! The product over an axis, which is kept with size 1.

use super::*;

pub(super) struct Product {
    pub(super) axis: usize,
}

impl Product {
    /// The two halves of an axis; of an odd axis, also its last element.
    fn halves(&self, graph: &mut Graph, a: NodeId) -> Result<([NodeId; 2], Option<NodeId>)> {
        let (axis, size) = (self.axis, graph.shape(a)[self.axis]);
        let mut part = |start, len| graph.push(Op::Slice { axis, start, len }, &[a]);
        let halves = [part(0, size / 2)?, part(size / 2, size / 2)?];
        let rest = (size % 2 == 1).then(|| part(size - 1, 1)).transpose()?;
        Ok((halves, rest))
    }

    /// The product and its tangent, by halving the axis. Unlike with Π a / aᵢ, all derivatives are right where
    /// elements are 0.
    fn derivative(
        &self,
        graph: &mut Graph,
        a: NodeId,
        tangent: NodeId,
    ) -> Result<(NodeId, NodeId)> {
        if graph.shape(a)[self.axis] == 1 {
            return Ok((a, tangent));
        }
        let ([first, second], rest) = self.halves(graph, a)?;
        let ([d_first, d_second], d_rest) = self.halves(graph, tangent)?;
        let product = times(graph, [first, d_first], [second, d_second])?;
        let (mut value, mut d_value) = self.derivative(graph, product[0], product[1])?;
        if let (Some(rest), Some(d_rest)) = (rest, d_rest) {
            [value, d_value] = times(graph, [value, d_value], [rest, d_rest])?;
        }
        Ok((value, d_value))
    }

    /// The cotangent of each element, from the product's cotangent `bar`.
    fn cotangent(&self, graph: &mut Graph, a: NodeId, bar: NodeId) -> Result<NodeId> {
        if graph.shape(a)[self.axis] == 1 {
            return Ok(bar);
        }
        let ([first, second], rest) = self.halves(graph, a)?;
        let product = graph.mul(first, second)?;
        let (inner_bar, rest_bar) = match rest {
            None => (bar, None),
            Some(rest) => {
                let whole = Op::Lines(Lines::Product { axis: self.axis });
                let value = graph.push(whole, &[product])?;
                (graph.mul(bar, rest)?, Some(graph.mul(bar, value)?))
            }
        };
        let product_bar = self.cotangent(graph, product, inner_bar)?;
        let first_bar = graph.mul(product_bar, second)?;
        let second_bar = graph.mul(product_bar, first)?;
        let mut bars = graph.push(Op::Concat(self.axis), &[first_bar, second_bar])?;
        if let Some(rest_bar) = rest_bar {
            bars = graph.push(Op::Concat(self.axis), &[bars, rest_bar])?;
        }
        Ok(bars)
    }
}

/// a·b and its tangent.
fn times(graph: &mut Graph, [a, da]: [NodeId; 2], [b, db]: [NodeId; 2]) -> Result<[NodeId; 2]> {
    let (left, right) = (graph.mul(da, b)?, graph.mul(a, db)?);
    Ok([graph.mul(a, b)?, graph.add(left, right)?])
}

impl Line for Product {
    fn along(&self, _: usize) -> Vec<usize> {
        vec![self.axis]
    }

    fn work(&self, first: &Node) -> usize {
        first.shape[self.axis]
    }
}

impl Primitive for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn arity(&self) -> usize {
        1
    }

    fn infer(&self, operands: &[&Node]) -> Result<(Shape, DType), Fault> {
        let a = operands[0];
        expect_dtype(a, DType::Real)?;
        Ok((reduced(a, &[self.axis])?, DType::Real))
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Site<'_>,
        tangents: &[Option<NodeId>],
    ) -> Result<Option<NodeId>> {
        let Some(tangent) = tangents[0] else {
            return Ok(None);
        };
        if graph.shape(tangent)[self.axis] == 0 {
            // 1, independent of the operand.
            return Ok(None);
        }
        let (_, tangent) = self.derivative(graph, at.operand(0), tangent)?;
        Ok(Some(tangent))
    }

    fn vjp(&self, graph: &mut Graph, at: Site<'_>, bar: NodeId) -> Result<Vec<Option<NodeId>>> {
        let a = at.operand(0);
        if graph.shape(a)[self.axis] == 0 {
            return Ok(vec![None]);
        }
        Ok(vec![Some(self.cotangent(graph, a, bar)?)])
    }

    fn axes(&self, node: &Node, operands: &[&Node]) -> Axes {
        let rank = node.shape.len();
        Axes::but(rank, operands.len(), &self.along(rank))
    }

    fn define<T: Scalar>(&self, node: &Node, operands: &[Operand<'_, T>]) -> Result<Value<T>> {
        let Operand { node: a, value } = operands[0];
        let mut products = vec![T::one(); node.len()];
        for (i, &v) in value.real().iter().enumerate() {
            products[place(&coordinates(i, &a.shape), &node.shape)] *= v;
        }
        Ok(Value::Real(products))
    }

    fn recompute(&self) -> Recompute {
        Recompute::Cheap
    }
}

/// A case with any numbers.
pub(super) fn sample(draw: &mut dyn Draw, shape: Option<&[usize]>) -> Option<Sample> {
    let (shape, axis) = drawn(draw, shape)?;
    let op = Op::Lines(Lines::Product { axis });
    Some(Sample::of(op, vec![(shape, Numbers::Any)]))
}
