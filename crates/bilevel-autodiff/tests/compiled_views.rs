//! Compiled programs read arguments through views, whatever their strides.

use bilevel_autodiff::{Argument, DType, Graph, Passes, Program, Workspace, trace};

fn run(graph: &Graph, arguments: &[Argument<'_, f64>], passes: Passes) -> Vec<f64> {
    let program = Program::compile_with(graph, passes).unwrap();
    let mut output = vec![f64::NAN; graph.node(graph.outputs[0]).len()];
    let mut workspace = Workspace::default();
    program
        .run(&mut workspace, arguments, &mut [&mut output])
        .unwrap();
    output
}

#[test]
fn a_column_and_a_transposed_row() {
    let shapes = [(vec![252, 1], DType::Real), (vec![1, 1], DType::Real)];
    let graph = trace(&shapes, |v| {
        vec![v[0].matmul(v[1]) + v[1].matmul(v[0].t()).t()]
    })
    .unwrap();
    let column: Vec<f64> = (0..252).map(f64::from).collect();
    let arguments = [Argument::Real(&column), Argument::Real(&[0.5])];
    for passes in [Passes::NONE, Passes::default()] {
        assert_eq!(run(&graph, &arguments, passes), column);
    }
}

#[test]
fn indices_of_rows_in_another_shape() {
    let rows = 422;
    let shapes = [(vec![rows], DType::Real), (vec![rows, 1], DType::Index)];
    let graph = trace(&shapes, |v| {
        let index = v[1].reshape(&[rows]);
        vec![v[0].exp().ln().add_rows(index, 2)]
    })
    .unwrap();
    let index: Vec<u32> = (0..rows as u32).map(|i| i % 2).collect();
    let arguments = [Argument::Real(&vec![1.0; rows]), Argument::Index(&index)];
    let row_block = Passes {
        row_block: true,
        ..Passes::NONE
    };
    for passes in [Passes::NONE, row_block, Passes::default()] {
        assert_eq!(run(&graph, &arguments, passes), [211.0, 211.0]);
    }
}
