//! `bilevel bench conv`: the speed of convolutions 3 × 3 in single precision.

use std::time::Instant;

use anyhow::anyhow;
use bilevel_autodiff::graph::{Convolved, Graph, Op, Window};
use bilevel_autodiff::{Argument, DType, Program, Shape, Workspace};
use serde::Serialize;

use crate::arguments::BenchConvArguments;
use crate::failure::Failure;
use crate::folder::Folder;

/// Pictures, input and output channels, rows and columns, stride: as of the peers in the comparison.
const SHAPES: [(usize, usize, usize, usize, usize); 6] = [
    (100, 64, 64, 14, 1),
    (32, 64, 64, 32, 1),
    (25, 64, 64, 28, 1),
    (80, 64, 64, 14, 2),
    (5, 64, 64, 7, 2),
    (32, 128, 128, 16, 1),
];

#[derive(Serialize)]
struct ConvResult {
    case: &'static str,
    shapes: Vec<Speeds>,
}

/// GFLOP/s.
#[derive(Serialize)]
struct Speeds {
    shape: String,
    forward: f64,
    input_gradient: f64,
    weight_gradient: f64,
}

pub(crate) fn run(arguments: &BenchConvArguments) -> Result<(), Failure> {
    Folder::expect_new(arguments.common.out.as_deref())?;
    let mut shapes = Vec::new();
    for (count, inputs, outputs, size, stride) in SHAPES {
        let places = (size - 1) / stride + 1;
        let picture = vec![count, size, size, inputs];
        let kernel = vec![3, 3, inputs, outputs];
        let result = vec![count, places, places, outputs];
        let window = Window::new(stride, 1);
        let flops = 2.0 * (count * places * places * outputs * inputs * 9) as f64;
        let speed = |of, operands: [&Shape; 2]| {
            let seconds = seconds(window, of, operands)?;
            Ok::<_, Failure>(flops / seconds / 1e9)
        };
        shapes.push(Speeds {
            shape: format!("batch {count} {inputs}->{outputs} {size}x{size} stride {stride}"),
            forward: speed(Convolved::Result, [&picture, &kernel])?,
            input_gradient: speed(Convolved::Picture([size; 2]), [&result, &kernel])?,
            weight_gradient: speed(Convolved::Kernel([3; 2]), [&picture, &result])?,
        });
    }
    let result = ConvResult {
        case: "conv",
        shapes,
    };
    crate::command::deliver(&arguments.common, "bench", &result, || {
        let line = |speeds: &Speeds| {
            format!(
                "{:36} {:7.1} {:14.1} {:15.1}\n",
                speeds.shape, speeds.forward, speeds.input_gradient, speeds.weight_gradient
            )
        };
        let lines: String = result.shapes.iter().map(line).collect();
        format!(
            "{:36} forward input gradient weight gradient   (GFLOP/s, single precision)\n{lines}",
            "3x3 convolution"
        )
    })
}

/// The least mean of five runs.
fn seconds(window: Window, of: Convolved, operands: [&Shape; 2]) -> Result<f64, Failure> {
    const ROUNDS: usize = 7;
    const RUNS: u32 = 5;
    let mut graph = Graph::new();
    let inputs = operands.map(|shape| graph.input(shape.clone(), DType::Real));
    let failed = |error| Failure::run(anyhow::Error::new::<bilevel_autodiff::Error>(error));
    let output = graph
        .push(Op::Conv { window, of }, &inputs)
        .map_err(failed)?;
    graph.outputs = vec![output];
    let program = Program::<f32>::compile(&graph).map_err(failed)?;
    let numbers = operands.map(|shape| {
        let of = |i: usize| (i * 7919 % 1000) as f32 / 1000.0 - 0.5;
        (0..shape.iter().product()).map(of).collect::<Vec<f32>>()
    });
    let mut out = vec![0.0; graph.node(output).len()];
    let mut workspace = Workspace::default();
    let mut run = || {
        let arguments = [Argument::Real(&numbers[0]), Argument::Real(&numbers[1])];
        program.run(&mut workspace, &arguments, &mut [&mut out])
    };
    run().map_err(failed)?;
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for _ in 0..RUNS {
            run().map_err(failed)?;
        }
        least = least.min(begin.elapsed().as_secs_f64() / f64::from(RUNS));
    }
    if out.iter().all(|&number| number == 0.0) {
        return Err(Failure::run(anyhow!("a convolution computed nothing")));
    }
    Ok(least)
}
