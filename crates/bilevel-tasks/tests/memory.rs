//! What is predicted of memory against what is allocated, and what a step allocates: nothing.

use std::path::Path;
use std::sync::Arc;

use bilevel::{
    Adjoint, At, Checkpointed, Field, FixedStart, GradientDescent, Hyper, HyperGradient, Key,
    Memory, Oracle, Problem, Reverse, ReverseTape, Unrolled,
};
use bilevel_autodiff::Bound;
use bilevel_tasks::cleaning::{CleaningJob, CleaningSpecification, OuterStep};
use bilevel_tasks::cost::{Prediction, Programs};
use bilevel_tasks::data::table::{Table, TableColumns};
use bilevel_tasks::data::{Dataset, numbered_classes};
use bilevel_tasks::fewshot::{Pictures, TaskForm, Tasks, Trained};
use bilevel_tasks::model::{Examples, LossSettings, Model, Real};
use bilevel_tasks::network::{Network, start};

const CLASSES: usize = 10;

/// What the sweep back through training is left with.
#[derive(Clone, Copy, Debug)]
enum Kept {
    States,
    Tapes,
    Checkpoints(usize),
}

/// Training on weighted rows, tried on half as many.
struct Case<T: Real> {
    inner: Arc<Bound<T>>,
    outer: Arc<Bound<T>>,
    problem: Problem<T>,
    x: Vec<T>,
}

impl<T: Real> Case<T> {
    fn new(model: Model, data: &[Dataset; 2], batch: Option<usize>) -> Self {
        let (rows, columns) = (data[0].rows(), data[0].columns());
        let loss = |data: &Dataset, weighted| {
            let settings = LossSettings {
                weighted,
                weight_decay: 0.0,
            };
            let loss = model.loss(settings);
            loss.bind(&Examples::<T>::new(data), batch, rows).unwrap()
        };
        let (inner, outer) = (loss(&data[0], true), loss(&data[1], false));
        let start = model.start(columns, CLASSES, Key::from_seed(0));
        let start = Arc::new(FixedStart(start));
        Self {
            problem: Problem::from_shared(inner.clone(), outer.clone(), start).unwrap(),
            inner,
            outer,
            x: vec![T::from_f64(0.3); rows],
        }
    }

    fn cost(&self, steps: usize, kept: Kept, aggregate: bool) -> Prediction {
        let programs = Programs::new(&self.inner, &self.outer, 1);
        let cost = method(steps, kept, aggregate).cost(&self.problem);
        programs.predict(&cost).unwrap()
    }

    fn estimate(&self, steps: usize, kept: Kept, aggregate: bool) -> Vec<T> {
        let method = method(steps, kept, aggregate);
        let mut out = vec![T::zero(); self.x.len()];
        method
            .estimate(
                &At::new(&self.problem, &self.x, Key::from_seed(1)),
                &mut Memory::default(),
                &mut out,
            )
            .unwrap();
        out
    }
}

/// Of each row, every so many numbers are not zero.
fn data(rows: usize, columns: usize, every: usize) -> [Dataset; 2] {
    [rows, rows / 2].map(|count| {
        let features = (0..count * columns).map(|i| {
            let there = (i / columns + i % columns / 4).is_multiple_of(every);
            if there { (0.7 * i as f32).sin() } else { 0.0 }
        });
        let labels = (0..count as u32).map(|i| i * 7 % CLASSES as u32);
        let names = numbered_classes(CLASSES);
        Dataset::new(features.collect(), columns, labels.collect(), names).unwrap()
    })
}

/// The same rows in memory of their own.
fn copied(data: &[Dataset; 2]) -> [Dataset; 2] {
    data.each_ref().map(|data| {
        let all: Vec<usize> = (0..data.rows()).collect();
        data.select(&all).unwrap()
    })
}

fn method<T: Real>(steps: usize, kept: Kept, aggregate: bool) -> Unrolled<T> {
    let field = if aggregate {
        Field::Aggregate {
            schedule: "constant:0.5".parse().unwrap(),
            outer_scale: 1.0,
        }
    } else {
        Field::Inner
    };
    let adjoint: Box<dyn Adjoint<T>> = match kept {
        Kept::States => Box::new(Reverse),
        Kept::Tapes => Box::new(ReverseTape::default()),
        Kept::Checkpoints(slots) => Box::new(Checkpointed { slots }),
    };
    Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(0.05),
            field,
            ..GradientDescent::default()
        }),
        steps,
        adjoint,
    }
}

/// What `work` does on one thread; allocations are counted by thread.
fn measured<R: Send>(work: impl FnOnce() -> R + Send) -> (R, allocation_counter::AllocationInfo) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| {
        let mut result = None;
        let counted = allocation_counter::measure(|| result = Some(work()));
        (result.unwrap(), counted)
    })
}

/// What the `gemm` crate packs the operands of a wide product into is not predicted; at these sizes it is less.
const PACKED: u64 = 3 << 18;

fn assert_near(what: &str, predicted: usize, found: u64, packed: u64) {
    let (predicted, found) = (predicted as f64, found as f64);
    let least = (found - packed as f64) * 0.9;
    assert!(
        (least..=found * 1.1).contains(&predicted),
        "{what}: predicted {predicted}, found {found} bytes"
    );
}

const KEPT: [Kept; 3] = [Kept::States, Kept::Tapes, Kept::Checkpoints(5)];

fn memory_is_as_predicted<T: Real>() {
    let mlp = Model::Mlp { hidden: 25 };
    let all = [Model::Softmax, mlp].map(|model| [1, 4].map(|every| (model, every)));
    for (model, every) in all.into_iter().flatten() {
        let data = data(2000, 150, every);
        for (batch, aggregate) in [(None, false), (Some(400), false), (None, true)] {
            for kept in KEPT {
                let what = format!(
                    "{model}, one of {every}, {kept:?}, batch {batch:?}, aggregate {aggregate}"
                );
                let steps = 12;
                // Two products that share the hidden layer's rows are one wide one.
                let packed = if model == mlp { PACKED } else { 0 };
                let (case, whole) = measured(|| {
                    // In single precision the data are shared, so that they have to be made here to be counted.
                    let own = if size_of::<T>() == size_of::<f32>() {
                        copied(&data)
                    } else {
                        data.clone()
                    };
                    let case = Case::<T>::new(model, &own, batch);
                    case.estimate(steps, kept, aggregate);
                    case
                });
                let cost = case.cost(steps, kept, aggregate);
                if batch.is_none() {
                    let packed = case.inner.packed_bytes(&[Oracle::GradY]).unwrap();
                    // Packing a narrow product is worth it with short vectors only.
                    match (every, model) {
                        (1, _) => assert_eq!(packed, 0, "{what}"),
                        (_, Model::Mlp { .. }) => assert!(packed > 0, "{what}"),
                        _ => {}
                    }
                }
                // Data, programs and the compiler's own memory among it.
                assert_near(&what, cost.peak_bytes(), whole.bytes_max, packed);
                // Without the data, and compiled: the start of training and x are there already.
                let (_, again) = measured(|| case.estimate(steps, kept, aggregate));
                let there = (case.problem.y_len() + case.x.len()) * size_of::<T>();
                let own = cost.kept_bytes + cost.work_bytes - there;
                assert_near(&format!("{what}, second"), own, again.bytes_max, packed);
            }
        }
    }
}

#[test]
fn memory_is_as_predicted_in_single_precision() {
    memory_is_as_predicted::<f32>();
}

#[test]
fn memory_is_as_predicted_in_double_precision() {
    memory_is_as_predicted::<f64>();
}

/// Exact MAML: 20-way with up to 200 steps where kernels are optimised.
#[test]
fn meta_gradients_keep_what_is_predicted() {
    let (way, more) = match cfg!(debug_assertions) {
        true => (5, vec![12]),
        false => (20, vec![50, 200]),
    };
    let network: Network = "conv4".parse().unwrap();
    let shape = [28, 28, 1];
    let form = TaskForm::plain(Trained::All);
    let pictures = |shots: usize| {
        let count = shots * way;
        let of = |i: usize| (0.7 * i as f32).sin();
        Pictures {
            elements: (0..count * shape.iter().product::<usize>())
                .map(of)
                .collect(),
            labels: (0..count).map(|i| (i % way) as u32).collect(),
        }
    };
    // Every estimate with programs of its own: those of networks keep their memory for the next task.
    let peak = |kept, steps| {
        let x = start(
            Tasks::<f32>::new(network, shape, way, form)
                .unwrap()
                .outer_parameters()
                .as_slice(),
            Key::from_seed(0),
        );
        let method = method::<f32>(steps, kept, false);
        let (predicted, counted) = measured(|| {
            let tasks = Tasks::<f32>::new(network, shape, way, form).unwrap();
            let task = tasks.bind(&pictures(1), &pictures(1)).unwrap();
            let problem = tasks.problem(&task).unwrap();
            let mut out = vec![0.0; x.len()];
            let at = At::new(&problem, &x, Key::from_seed(1));
            method
                .estimate(&at, &mut Memory::default(), &mut out)
                .unwrap();
            let programs = Programs::new(&task.inner, &task.outer, 1);
            programs
                .predict(&method.cost(&problem))
                .unwrap()
                .peak_bytes()
        });
        let what = format!("{kept:?}, K = {steps}");
        assert_near(&what, predicted, counted.bytes_max, 0);
        (
            counted.bytes_max as f64,
            (x.len() * size_of::<f32>()) as f64,
        )
    };
    for kept in [Kept::States, Kept::Checkpoints(5)] {
        let (first, state) = peak(kept, 5);
        for &steps in &more {
            let grown = (peak(kept, steps).0 - first) / state;
            let expected = match kept {
                Kept::Checkpoints(_) => 0.0,
                Kept::States | Kept::Tapes => (steps - 5) as f64,
            };
            let near = 0.05 * expected + 1.5;
            assert!(
                (grown - expected).abs() < near,
                "{kept:?}, K = {steps}: {grown} states"
            );
        }
    }
}

/// As many allocations for 1000 steps as for 10. Narrow products of more rows than columns use nothing of the
/// `gemm` crate, which allocates in each call.
#[test]
fn no_step_allocates() {
    let data = data(80, 12, 1);
    for model in [Model::Softmax, Model::Mlp { hidden: 6 }] {
        for (batch, aggregate) in [(None, false), (Some(30), true)] {
            let case = Case::<f64>::new(model, &data, batch);
            for kept in KEPT {
                let count = |steps| {
                    // Compiled before.
                    case.estimate(steps, kept, aggregate);
                    measured(|| case.estimate(steps, kept, aggregate))
                        .1
                        .count_total
                };
                let what = format!("{model}, {kept:?}, batch {batch:?}, aggregate {aggregate}");
                assert_eq!(count(10), count(1000), "{what}");
            }
        }
    }
}

/// A job holds the features once; a list of kept rows for a baseline is a second copy, and there is never a third. A fifth
/// of the rows to check, at most 2000, choose how models are trained: they are copied, and packed while they are judged.
/// A search for neighbours holds some hundred rows and their distances.
#[test]
fn a_job_needs_two_copies_of_its_features_at_most() {
    let (rows, columns) = (4000, 300);
    let folder = tempfile::tempdir().unwrap();
    let features = folder.path().join("x.npy");
    let labels = folder.path().join("y.npy");
    let numbers = (0..rows * columns).map(|i| ((i * 37 % 1013) as f32 - 500.0) / 100.0);
    let classes = (0..rows).map(|row| (row * 5 % 3) as f32);
    write_npy(&features, &format!("({rows}, {columns})"), numbers);
    write_npy(&labels, &format!("({rows},)"), classes);
    let text = "[data]\nfile = \"x.npy\"\nlabels = \"y.npy\"\ntrusted_rows = 100\ncorrupt = 0.2\n\
                [method]\nsteps = 2\n[run]\nouter_steps = 1\n";
    let given = CleaningSpecification::from_toml(text).unwrap();
    let given = given.from_folder(folder.path());
    let ((), counted) = measured(|| {
        let job = CleaningJob::new(&given, 1).unwrap();
        let mut state = job.start();
        let why = job.run(&mut state, &mut |_: &OuterStep| {}).unwrap();
        job.outcome(&state, why, &mut |_| {}).unwrap();
    });
    let one = (rows * columns * size_of::<f32>()) as f64;
    let peak = counted.bytes_max as f64 / one;
    // What is packed depends on the caches of the processor: 3.22 copies with 105 MB of L3, below 3.1 on another.
    assert!((2.0..3.3).contains(&peak), "{peak} copies");
}

/// Memory follows the bytes that there are, not what they declare.
#[test]
fn a_short_file_that_declares_much_needs_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.npy");
    write_npy(&file, "(1000000, 1000)", (0..10).map(|i| i as f32));
    let (read, counted) = measured(|| Table::read(&file, &TableColumns::default()).is_err());
    assert!(read);
    assert!(counted.bytes_max < 200_000, "{} bytes", counted.bytes_max);
}

/// An array of single precision, as NumPy writes it.
fn write_npy(path: &Path, shape: &str, values: impl Iterator<Item = f32>) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<0$}\n", length - 1).bytes());
    bytes.extend(values.flat_map(f32::to_le_bytes));
    std::fs::write(path, bytes).unwrap();
}
