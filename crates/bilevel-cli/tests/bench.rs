//! `bilevel bench cleaning` on inputs made here.

use std::fs;
use std::path::Path;

use crate::common::{document, refused, succeed, write_npy};
use bilevel::Key;
use bilevel_tasks::data::npy::{self, Values, read_vector, write_vector};
use bilevel_tasks::network::{self, Network, Weights};

/// As numpy.save writes a matrix of f32.
fn write_matrix(path: &Path, rows: usize, columns: usize, values: &[f32]) {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

/// Twelve training and six trusted rows of three columns in two classes.
fn write_inputs(folder: &Path) {
    let value = |i: usize| (i as f32 * 0.7).sin();
    let values = |count: usize| (0..count).map(value).collect::<Vec<f32>>();
    write_matrix(&folder.join("train_inputs.npy"), 12, 3, &values(36));
    write_matrix(&folder.join("val_inputs.npy"), 6, 3, &values(18));
    let write = |name: &str, values| write_vector(&folder.join(name), values).unwrap();
    write(
        "train_labels.npy",
        Values::I64((0..12).map(|i| i % 2).collect()),
    );
    write(
        "val_labels.npy",
        Values::I64((0..6).map(|i| i / 3).collect()),
    );
    write("x.npy", Values::F32(values(12)));
    write("y_softmax.npy", Values::F32(values(8)));
}

/// f at y_7 on these inputs, row by row: seven steps of size 0.3 on the weighted loss, from
/// y = (W, b).
fn trained(x: &[f64]) -> f64 {
    let value = |i: usize| f64::from((i as f32 * 0.7).sin());
    let probabilities = |y: &[f64], i: usize| {
        let logit = |class: usize| -> f64 {
            let product = |j: usize| value(3 * i + j) * y[2 * j + class];
            y[6 + class] + (0..3).map(product).sum::<f64>()
        };
        let (a, b) = (logit(0).exp(), logit(1).exp());
        [a / (a + b), b / (a + b)]
    };
    let mut y: Vec<f64> = (0..8).map(value).collect();
    for _ in 0..7 {
        let mut gradient = [0.0; 8];
        for (i, x) in x.iter().enumerate() {
            let weight = sigmoid(*x) / 12.0;
            for (class, p) in probabilities(&y, i).into_iter().enumerate() {
                let residual = weight * (p - f64::from(u8::from(i % 2 == class)));
                for j in 0..3 {
                    gradient[2 * j + class] += residual * value(3 * i + j);
                }
                gradient[6 + class] += residual;
            }
        }
        for (y, gradient) in y.iter_mut().zip(gradient) {
            *y -= 0.3 * gradient;
        }
    }
    let loss = |i: usize| -probabilities(&y, i)[i / 3].ln();
    (0..6).map(loss).sum::<f64>() / 6.0
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[test]
fn the_gradient_is_that_of_plain_training_on_these_files() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_inputs(here);
    succeed(
        here,
        "bench cleaning --data . --steps 7 --step-size 0.3 --repeat 1 --dtype f64 --gradient g.npy",
    );
    let gradient = read_vector(&here.join("g.npy")).unwrap();
    let start: Vec<f64> = (0..12).map(|i| f64::from((i as f32 * 0.7).sin())).collect();
    let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    for (i, found) in gradient.iter().enumerate() {
        let at = |distance: f64| {
            let mut x = start.clone();
            x[i] += distance;
            trained(&x)
        };
        let h = 1e-3;
        let expected = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
        assert!(
            (found - expected).abs() < 1e-9 * size,
            "{i}: {found} is not {expected}"
        );
    }
}

#[test]
fn figures_and_gradient() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_inputs(here);
    let run = |options: &str| {
        let ran = succeed(
            here,
            &format!("bench cleaning --data . --steps 7 --repeat 2 --json {options}"),
        );
        document(&ran)
    };
    let wide = run("--dtype f64 --gradient wide.npy");
    for name in ["median_ms", "mean_ms", "min_ms", "first_ms", "gflops"] {
        assert!(wide[name].as_f64().unwrap() > 0.0, "{name} {wide}");
    }
    let predicted =
        |result: &serde_json::Value| result["predicted_peak_mb"].as_f64().unwrap() * 1e6;
    assert!(predicted(&wide) > 0.0, "{wide}");
    // 2·12·3·2 a product, five for each of seven steps, and three of the six trusted rows.
    assert_eq!(wide["flops"], 7.0 * 5.0 * 144.0 + 3.0 * 72.0);
    let gradient = read_vector(&here.join("wide.npy")).unwrap();
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!((wide["gradient_norm"].as_f64().unwrap() / norm - 1.0).abs() < 1e-12);

    let kept = run("--dtype f64 --adjoint checkpointed:2 --gradient again.npy");
    // Five states of eight numbers fewer, but those of a segment under way, two.
    let spared = predicted(&wide) - predicted(&kept);
    assert!((spared - 3.0 * 64.0).abs() < 1e-3, "{spared}");
    // The sweep back repeats no forward product.
    let tape = run("--dtype f64 --adjoint reverse:tape --gradient tape.npy");
    assert_eq!(tape["flops"], 7.0 * 4.0 * 144.0 + 3.0 * 72.0);
    assert!(predicted(&tape) > predicted(&wide));
    let taped = read_vector(&here.join("tape.npy")).unwrap();
    for (taped, wide) in taped.iter().zip(&gradient) {
        assert!((taped - wide).abs() < 1e-12 * norm);
    }
    let (a, b) = (here.join("wide.npy"), here.join("again.npy"));
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());

    run("--gradient narrow.npy --out out");
    assert!(here.join("out/result.json").is_file());
    let narrow = npy::read(&here.join("narrow.npy")).unwrap();
    assert!(matches!(narrow.values, Values::F32(_)));
    for (narrow, wide) in narrow.to_f64().unwrap().iter().zip(&gradient) {
        assert!((narrow - wide).abs() < 1e-5 * norm);
    }
    let text = succeed(here, "bench cleaning --data . --steps 7 --repeat 1").stdout;
    assert!(text.contains("one hypergradient takes"), "{text}");
}

#[test]
fn bad_inputs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    refused(
        here,
        "bench cleaning --data .",
        "train_inputs.npy: cannot be read",
    );
    write_inputs(here);
    refused(
        here,
        "bench cleaning --data . --adjoint first-order",
        "identically zero",
    );
    refused(here, "bench cleaning --data . --steps 0", "at least 1");
    refused(
        here,
        "bench cleaning --data . --dtype f16",
        "possible values: f32, f64",
    );
    refused(
        here,
        "bench cleaning --data . --gradient none/g.npy",
        "--gradient none/g.npy",
    );
    let write = |name: &str, values| write_vector(&here.join(name), values).unwrap();
    write("x.npy", Values::F32(vec![0.0; 11]));
    refused(
        here,
        "bench cleaning --data .",
        "x.npy: expected 12 numbers, one for each row, found 11",
    );
    write("y_softmax.npy", Values::F32(vec![0.0; 7]));
    refused(here, "bench cleaning --data .", "y_softmax.npy: expected");
    write("train_labels.npy", Values::I64(vec![0; 11]));
    refused(here, "bench cleaning --data .", "one label for each row");
    write("train_labels.npy", Values::F64(vec![0.5; 12]));
    refused(
        here,
        "bench cleaning --data .",
        "train_labels.npy: element 0: expected a class, a whole number from 0 to 4294967295, found 0.5",
    );
}

/// Five and ten pictures of 10 × 10 in two classes, and weights of the network.
fn write_episode(folder: &Path) {
    let parameters = || {
        let network: Network = "conv4".parse().unwrap();
        let (mut all, _) = network.parameters([10, 10, 1]).unwrap();
        all.extend(network.head([10, 10, 1], 2).unwrap());
        all
    };
    for (name, count) in [("support", 5), ("query", 10)] {
        let values = (0..count * 100).map(|i| (i as f32 * 0.37 + count as f32).sin());
        let bytes: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
        let file = folder.join(format!("{name}_inputs_2.npy"));
        let shape = format!("({count}, 10, 10, 1)");
        write_npy(&file, "<f4", false, &shape, &bytes);
        let labels = Values::I64((0..count as i64).map(|i| i % 2).collect());
        write_vector(&folder.join(format!("{name}_labels_2.npy")), labels).unwrap();
    }
    let parameters = parameters();
    let numbers: Vec<f64> = network::start(&parameters, Key::from_seed(7));
    let bytes = Weights::bytes(&parameters, &numbers, None).unwrap();
    fs::write(folder.join("params_2.safetensors"), bytes).unwrap();
}

#[test]
fn meta_gradients_have_the_same_bits_for_all_threads_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_episode(here);
    let common = "bench fewshot --data . --way 2 --steps 3 --step-size 0.01 --repeat 1 --json";
    for (inner, len) in [("all", 111_936 + 2 * 65), ("head", 111_936)] {
        let run = |options: &str| {
            let ran = succeed(
                here,
                &format!("{common} --inner {inner} {options} --gradient g.npy"),
            );
            (document(&ran), fs::read(here.join("g.npy")).unwrap())
        };
        let (first, bits) = run("--threads 1");
        assert_eq!(read_vector(&here.join("g.npy")).unwrap().len(), len - 256);
        assert!(first["gradient_norm"].as_f64().unwrap() > 0.0, "{first}");
        // Each of 15 pictures goes through the network at least once, with both gradients.
        assert!(first["flops"].as_f64().unwrap() > 15.0 * 1e6, "{first}");
        assert_eq!(run("--threads 3").1, bits);
        assert_eq!(run("--threads 2 --adjoint checkpointed:1").1, bits);
    }
    refused(here, "bench fewshot --data . --way 3", "_3.npy");
    fs::remove_file(here.join("params_2.safetensors")).unwrap();
    refused(
        here,
        "bench fewshot --data . --way 2",
        "params_2.safetensors",
    );
    let labels = Values::I64(vec![0, 1, 0, 1, 2]);
    write_vector(&here.join("support_labels_2.npy"), labels).unwrap();
    refused(here, "bench fewshot --data . --way 2", "classes below 2");
}
