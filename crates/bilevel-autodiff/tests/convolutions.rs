//! Compares convolutions of all sizes with their definition, and layers on pictures with plain loops.

use bilevel_autodiff::graph::{Binary, Convolved, Graph, Op, Window};
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::{Argument, DType, Program, Real, Var, Workspace, trace};
use proptest::prelude::*;

fn numbers(count: usize, seed: usize) -> Vec<f64> {
    let of = |i: usize| ((i * 7919 + seed * 104_729) as f64 * 0.618).sin() * 0.4;
    (0..count).map(of).collect()
}

/// The only result of a graph whose arguments are drawn from their number.
fn run<T: Real>(graph: &Graph, threads: usize) -> Vec<f64> {
    let program = Program::<T>::compile(graph).unwrap();
    let arguments: Vec<Vec<T>> = graph
        .inputs()
        .iter()
        .enumerate()
        .map(|(number, &id)| {
            let all = numbers(graph.node(id).len(), number);
            all.into_iter().map(T::from_f64).collect()
        })
        .collect();
    let arguments: Vec<_> = arguments.iter().map(|a| Argument::Real(a)).collect();
    let mut out = vec![T::nan(); graph.node(graph.outputs[0]).len()];
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let mut workspace = Workspace::default();
    pool.install(|| program.run(&mut workspace, &arguments, &mut [&mut out]))
        .unwrap();
    out.into_iter().map(T::to_double).collect()
}

fn defined(graph: &Graph) -> Vec<f64> {
    let arguments = graph
        .inputs()
        .iter()
        .enumerate()
        .map(|(number, &id)| Value::Real(numbers(graph.node(id).len(), number)));
    let arguments: Vec<_> = arguments.collect();
    evaluate(graph, &arguments).unwrap()[0].real().to_vec()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance,
            "{what}, element {i}: {a} and {b}"
        );
    }
}

/// All three tensors of a convolution, in both number types, on one and on three threads.
fn check(
    window: Window,
    pictures: [usize; 3],
    kernel: [usize; 2],
    (inputs, outputs): (usize, usize),
) {
    let [n, height, width] = pictures;
    let places = [0, 1].map(|axis| {
        let reach = window.dilation[axis] * (kernel[axis] - 1) + 1;
        (pictures[axis + 1] + 2 * window.padding[axis] - reach) / window.stride[axis] + 1
    });
    let (channels, outputs) = (inputs * window.groups, outputs * window.groups);
    let picture = vec![n, height, width, channels];
    let weights = vec![kernel[0], kernel[1], inputs, outputs];
    let result = vec![n, places[0], places[1], outputs];
    for (of, a, b) in [
        (Convolved::Result, &picture, &weights),
        (Convolved::Picture([height, width]), &result, &weights),
        (Convolved::Kernel(kernel), &picture, &result),
    ] {
        let mut graph = Graph::new();
        let a = graph.input(a.clone(), DType::Real);
        let b = graph.input(b.clone(), DType::Real);
        let out = graph.push(Op::Conv { window, of }, &[a, b]).unwrap();
        graph.outputs = vec![out];
        let what = format!("{of:?} of {pictures:?}, {kernel:?}, {inputs} → {outputs}, {window:?}");
        let expected = defined(&graph);
        let found = run::<f64>(&graph, 1);
        assert_near(&found, &expected, 1e-11, &what);
        assert_eq!(found, run::<f64>(&graph, 3), "{what}");
        let single = run::<f32>(&graph, 1);
        assert_near(&single, &expected, 3e-4, &what);
        assert_eq!(single, run::<f32>(&graph, 3), "{what}");
    }
}

#[test]
fn as_in_networks() {
    for (n, size, channels) in [
        (5, 28, (1, 64)),
        (5, 7, (64, 64)),
        (3, 14, (3, 32)),
        (2, 9, (32, 48)),
    ] {
        check(Window::new(2, 1), [n, size, size], [3, 3], channels);
        check(Window::new(1, 1), [n, size, size], [3, 3], channels);
    }
    // The first layer and the projections of a residual network; a window as large as the picture.
    check(Window::new(2, 3), [2, 13, 15], [7, 7], (3, 16));
    check(Window::new(2, 0), [3, 8, 8], [1, 1], (40, 70));
    check(Window::new(1, 0), [9, 4, 4], [4, 4], (20, 10));
    // More channels than are multiplied at once, and more places than in a block.
    check(Window::new(1, 1), [2, 11, 10], [3, 3], (150, 33));
    // A channel of its own for each group, and no padding for a window with holes.
    let depthwise = Window {
        groups: 24,
        ..Window::new(1, 1)
    };
    check(depthwise, [2, 6, 7], [3, 3], (1, 1));
    let holes = Window {
        dilation: [2, 3],
        ..Window::default()
    };
    check(holes, [2, 9, 11], [3, 2], (17, 18));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn of_any_size(
        n in 0_usize..6,
        size in [1_usize..12, 1_usize..12],
        kernel in [1_usize..8, 1_usize..8],
        stride in [1_usize..4, 1_usize..4],
        padding in [0_usize..5, 0_usize..5],
        dilation in [1_usize..3, 1_usize..3],
        groups in 1_usize..4,
        inputs in 0_usize..24,
        outputs in 0_usize..40,
    ) {
        let window = Window { stride, padding, dilation, groups };
        let mut size = size;
        for axis in 0..2 {
            let reach = dilation[axis] * (kernel[axis] - 1) + 1;
            size[axis] = size[axis].max(reach.saturating_sub(2 * padding[axis]));
        }
        check(window, [n, size[0], size[1]], kernel, (inputs, outputs));
    }
}

/// The result of one layer on pictures of this shape, and a plain loop over places and window elements.
fn layer(
    shape: [usize; 4],
    layer: impl for<'t> Fn(&[Var<'t>]) -> Var<'t>,
) -> (Vec<f64>, Vec<usize>) {
    let channels = vec![shape[3]];
    let inputs = [shape.to_vec(), channels.clone(), channels].map(|shape| (shape, DType::Real));
    let graph = trace(&inputs, |v| vec![layer(v)]).unwrap();
    let expected = defined(&graph);
    assert_near(&run::<f64>(&graph, 3), &expected, 1e-12, "a layer");
    (expected, graph.shape(graph.outputs[0]).to_vec())
}

#[test]
fn pools() {
    for (shape, size, stride, padding) in [
        ([2, 8, 6, 3], [2, 2], 2, 0),
        ([2, 7, 9, 5], [3, 3], 2, 1),
        ([1, 5, 5, 20], [2, 3], 1, 1),
        ([3, 9, 7, 1], [2, 2], 3, 0),
    ] {
        let [n, height, width, channels] = shape;
        let window = Window::new(stride, padding);
        let (largest, places) = layer(shape, |v| v[0].max_pool(size, window));
        let (mean, same) = layer(shape, |v| v[0].mean_pool(size, window));
        assert_eq!(places, same);
        let all = numbers(n * height * width * channels, 0);
        for (number, (&largest, &mean)) in largest.iter().zip(&mean).enumerate() {
            let (place, c) = (number / channels, number % channels);
            let (of, place) = (
                place / (places[1] * places[2]),
                place % (places[1] * places[2]),
            );
            let corner = [place / places[2] * stride, place % places[2] * stride];
            let (mut top, mut sum) = (f64::NEG_INFINITY, 0.0);
            for i in corner[0]..corner[0] + size[0] {
                for j in corner[1]..corner[1] + size[1] {
                    let (i, j) = (i.wrapping_sub(padding), j.wrapping_sub(padding));
                    if i < height && j < width {
                        let a = all[((of * height + i) * width + j) * channels + c];
                        (top, sum) = (top.max(a), sum + a);
                    }
                }
            }
            assert_eq!(largest, top);
            assert!((mean - sum / (size[0] * size[1]) as f64).abs() < 1e-14);
        }
    }
}

#[test]
fn norms() {
    let shape = [3, 4, 5, 6];
    let [n, height, width, channels] = shape;
    let epsilon = 1e-3;
    let (batch, _) = layer(shape, |v| v[0].batch_norm(v[1], v[2], epsilon));
    let (group, _) = layer(shape, |v| v[0].group_norm(2, v[1], v[2], epsilon));
    let all = numbers(n * height * width * channels, 0);
    let (scale, shift) = (numbers(channels, 1), numbers(channels, 2));
    let normal = |number: usize, same: &dyn Fn(usize) -> bool| {
        let of: Vec<f64> = (0..all.len())
            .filter(|&i| same(i))
            .map(|i| all[i])
            .collect();
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let variance = of.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / of.len() as f64;
        let c = number % channels;
        (all[number] - mean) / (variance + epsilon).sqrt() * scale[c] + shift[c]
    };
    let picture = height * width * channels;
    for number in 0..all.len() {
        let of_batch = normal(number, &|i| i % channels == number % channels);
        let of_group = normal(number, &|i| {
            i / picture == number / picture && i % channels / 3 == number % channels / 3
        });
        assert!((batch[number] - of_batch).abs() < 1e-12);
        assert!((group[number] - of_group).abs() < 1e-12);
    }
}

/// Sums over all but the channels run with the products that they sum, some rows at a time on each thread.
#[test]
fn sums_of_products() {
    for (rows, channels) in [
        (63, 7),
        (64, 64),
        (65, 16),
        (128, 20),
        (700, 33),
        (2000, 64),
        (5, 3000),
    ] {
        // Graphs with convolutions run in whole tensors, others in blocks of rows.
        let shapes = [
            vec![rows, 1, 1, 3],
            vec![1, 1, 3, channels],
            vec![rows, 1, 1, channels],
            vec![channels],
        ];
        let inputs = shapes.map(|shape| (shape, DType::Real));
        let graph = trace(&inputs, |v| {
            let product = v[0].conv(v[1], Window::default()) * v[2];
            let centred = product - product.mean_over(&[0, 1, 2]);
            let scaled = centred * v[3];
            let all = [0, 1, 2];
            let both = scaled.square().sum(&all) + (-scaled * v[2]).sum(&all);
            vec![both + product.sum(&all)]
        })
        .unwrap();
        let what = format!("{rows} × {channels}");
        let (found, expected) = (run::<f64>(&graph, 1), defined(&graph));
        assert_near(&found, &expected, 1e-11, &what);
        assert_eq!(found, run::<f64>(&graph, 3), "{what}");
        let single = run::<f32>(&graph, 1);
        assert_near(&single, &expected, 1e-3, &what);
        assert_eq!(single, run::<f32>(&graph, 2), "{what}");
    }
}

/// The second of two convolutions that are added starts from the first one.
#[test]
fn sums_of_convolutions() {
    for (of, channels) in [
        (Convolved::Result, 3),
        (Convolved::Result, 40),
        (Convolved::Kernel([3, 3]), 40),
    ] {
        let window = Window::new(2, 1);
        let picture = vec![4, 9, 9, channels];
        let other = match of {
            Convolved::Kernel(_) => vec![4, 5, 5, 24],
            _ => vec![3, 3, channels, 24],
        };
        let mut graph = Graph::new();
        let mut convolution = || {
            let a = graph.input(picture.clone(), DType::Real);
            let b = graph.input(other.clone(), DType::Real);
            graph.push(Op::Conv { window, of }, &[a, b]).unwrap()
        };
        let both = [convolution(), convolution()];
        let sum = graph.push(Op::Binary(Binary::Add), &both).unwrap();
        // A sum that is a result itself is computed there, from both.
        let square = graph.push(Op::Binary(Binary::Mul), &[sum, sum]).unwrap();
        graph.outputs = vec![square];
        let (found, expected) = (run::<f64>(&graph, 1), defined(&graph));
        assert_near(&found, &expected, 1e-11, "a sum of two");
        assert_eq!(found, run::<f64>(&graph, 3));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let shapes = [vec![2, 5, 6, 4], vec![3, 3, 4, 8], vec![4]];
    let inputs = shapes.map(|shape| (shape, DType::Real));
    let refused = |of: &dyn for<'t> Fn(&[Var<'t>]) -> Var<'t>| {
        trace(&inputs, |v| vec![of(v)]).unwrap_err().to_string()
    };
    let two_groups = Window {
        groups: 2,
        ..Window::default()
    };
    let no_stride = Window {
        stride: [0, 1],
        ..Window::default()
    };
    for (error, expected) in [
        (
            refused(&|v| v[0].conv(v[1], two_groups)),
            "a kernel with 2 input channels, found 4",
        ),
        (
            refused(&|v| v[0].conv(v[1], no_stride)),
            "a stride and a dilation of at least 1",
        ),
        (
            refused(&|v| v[0].conv(v[2], Window::default())),
            "pictures (n, rows, columns, channels)",
        ),
        (
            refused(&|v| v[1].conv(v[0], Window::default())),
            "fits into the picture of 3 × 4",
        ),
        (
            refused(&|v| v[0].max_pool([2, 2], Window::new(2, 2))),
            "larger than its padding",
        ),
        (
            refused(&|v| v[2].max_pool([2, 2], Window::new(2, 0))),
            "pictures",
        ),
        (
            refused(&|v| v[0].mean_pool([7, 2], Window::new(2, 0))),
            "in which the window fits",
        ),
        (
            refused(&|v| v[0].group_norm(3, v[2], v[2], 1e-5)),
            "share equally",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}
