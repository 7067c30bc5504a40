//! A function is compiled for shapes: binding other data of the same shapes compiles nothing and gives correct results.
use bilevel::{Draw, Key, Layout, Objective, Oracle};
use bilevel_autodiff::{Bound, Data, Error, Function, Inputs, Shapes, SparseRows, Var};

const ROWS: usize = 5;
const COLUMNS: usize = 7;

/// Softmax regression with row weights and a penalty.
fn losses<'t>(v: &Inputs<'t>) -> Var<'t> {
    let losses = v
        .data("a")
        .matmul(v.y("w"))
        .cross_entropy(v.labels("labels"));
    (v.x_rows("x").sigmoid() * losses).mean() + v.y("w").square().sum_all() * 0.1
}

fn layouts(rows: usize) -> (Layout, Layout) {
    (
        Layout::vector("x", rows),
        Layout::new([("w", vec![COLUMNS, 3])]),
    )
}

/// The rows of a task; tasks whose number is divisible by 3 have zeros.
fn task(number: u64, rows: usize) -> Data<f64> {
    let key = Key::from_seed(7).fold_in(number);
    let zero = |i: usize| number.is_multiple_of(3) && i.is_multiple_of(2);
    let a = key.normals().take(rows * COLUMNS).enumerate();
    let a: Vec<f64> = a.map(|(i, a)| if zero(i) { 0.0 } else { a }).collect();
    let labels: Vec<u32> = (0..rows as u32).map(|i| (i + number as u32) % 3).collect();
    Data::new(rows)
        .rows("a", a, &[COLUMNS])
        .labels("labels", labels)
}

fn bind(function: &Function<f64>, data: Data<f64>) -> Bound<f64> {
    let (x, y) = layouts(data.row_count());
    function.bind(&x, &y, data).unwrap()
}

/// The value, both gradients, a product and a tape at this point.
fn figures(bound: &Bound<f64>, draw: Draw) -> Vec<f64> {
    let (n, m) = (bound.x_layout().len(), bound.y_layout().len());
    let key = Key::from_seed(1);
    let x: Vec<f64> = key.normals().take(n).collect();
    let y: Vec<f64> = key.fold_in(1).normals().take(m).collect();
    let mut at = bound.at(&x).unwrap();
    let mut found = vec![at.value(&y, draw).unwrap()];
    let (mut out, mut out_x) = (vec![0.0; m], vec![0.0; n]);
    at.grad_y(&y, draw, &mut out).unwrap();
    found.extend(&out);
    at.grad_x(&y, draw, 1.0).unwrap();
    let products = at.second_order().unwrap();
    products.pull(&y, draw, &y, &mut out).unwrap();
    products.push(&y, draw, &x, &y, &mut out).unwrap();
    found.extend(&out);
    let len = at.tape().unwrap().tape_len(draw);
    let mut tape = vec![0.0; len];
    let taped = at.tape().unwrap();
    taped.linearize(&y, draw, &mut out, &mut tape).unwrap();
    taped.pull_tape(&y, draw, &tape, &y, &mut out).unwrap();
    found.extend(&out);
    at.finish(&mut out_x).unwrap();
    found.extend(&out_x);
    found
}

#[test]
fn a_thousand_tasks_compile_one_function() {
    let function = Function::new(losses);
    let first = bind(&function, task(0, ROWS));
    figures(&first, Draw::All);
    let compiled = function.programs_compiled();
    assert!(compiled > 0);
    for number in 1..1000 {
        let bound = bind(&function, task(number, ROWS));
        assert!(std::ptr::eq(first.compiled(), bound.compiled()));
        let found = figures(&bound, Draw::All);
        if number % 100 < 3 {
            // A separate function knows nothing of the others.
            let alone = bind(&Function::new(losses), task(number, ROWS));
            assert_eq!(found, figures(&alone, Draw::All));
        }
    }
    assert_eq!(function.programs_compiled(), compiled);
}

#[test]
fn other_shapes_and_batches_are_other_programs() {
    let function = Function::new(losses);
    let step = Draw::Step {
        key: Key::from_seed(3),
        step: 1,
    };
    let mut seen = Vec::new();
    for rows in [ROWS, 6, 40, ROWS, 40] {
        for batch in [None, Some(4)] {
            let bound = bind(&function, task(1, rows).batch(batch));
            let alone = bind(&Function::new(losses), task(1, rows).batch(batch));
            for draw in [Draw::All, step] {
                assert_eq!(figures(&bound, draw), figures(&alone, draw));
            }
            seen.push(std::ptr::from_ref(bound.compiled()));
            drop(bound);
        }
    }
    assert_eq!(seen[..2], seen[6..8]);
    assert_eq!(seen[4..6], seen[8..]);
    let mut different = seen[..6].to_vec();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 6);
}

/// Enough rows that zero columns are left out: each binding has its own columns.
#[test]
fn columns_are_those_of_the_data() {
    let columns = 40;
    let function = Function::new(losses);
    let y = Layout::new([("w", vec![columns, 3])]);
    let data = |empty: usize| {
        let normals = Key::from_seed(empty as u64).normals().take(100 * columns);
        let zero = |i: usize| i % columns / 8 == empty;
        let a = normals.enumerate();
        let a: Vec<f64> = a.map(|(i, a)| if zero(i) { 0.0 } else { a }).collect();
        let labels: Vec<u32> = (0..100).map(|i| i % 3).collect();
        Data::new(100)
            .rows("a", a, &[columns])
            .labels("labels", labels)
    };
    let x = Layout::vector("x", 100);
    for empty in [0, 3, 1, 7] {
        let bound = function.bind(&x, &y, data(empty)).unwrap();
        let alone = Function::new(losses).bind(&x, &y, data(empty)).unwrap();
        assert_eq!(figures(&bound, Draw::All), figures(&alone, Draw::All));
    }
}

#[test]
fn shapes_alone_tell_the_cost() {
    let (x, y) = layouts(300);
    let function = Function::<f64>::new(losses);
    let shapes = Shapes::new(300)
        .rows("a", &[COLUMNS])
        .labels("labels")
        .batch(50);
    let known = function.compile(&x, &y, &shapes).unwrap();
    let bound = bind(&function, task(1, 300).batch(50));
    assert!(std::ptr::eq(&*known, bound.compiled()));
    assert_eq!(
        known.cost(Oracle::GradY, 1).unwrap().product_flops,
        4.0 * 50.0 * 3.0 * COLUMNS as f64
    );
    assert_eq!(known.data_bytes(), 300 * (8 * COLUMNS + 4));
    // Without data nothing can be computed.
    let error = known.at(&[0.0; 300]).err().unwrap();
    assert!(error.to_string().contains("bind"), "{error}");
}

/// Rows without their zeros take what is stored, unless batches are drawn from them.
#[test]
fn zeros_that_are_not_stored_take_no_memory() {
    let (rows, columns) = (400, 900);
    let function = Function::<f64>::new(|v| v.data("a").matmul(v.y("w")).square().mean());
    let (x, y) = (
        Layout::new::<String>([]),
        Layout::new([("w", vec![columns, 1])]),
    );
    let data = || {
        let starts: Vec<usize> = (0..=rows).map(|row| 2 * row).collect();
        let places = (0..rows).flat_map(|row| [row as u32, row as u32 + 7]);
        let stored = SparseRows::new(
            starts,
            places.collect::<Vec<_>>(),
            vec![1.0; 2 * rows],
            columns,
        );
        Data::new(rows).sparse_rows("a", stored.unwrap())
    };
    let bound = function.bind(&x, &y, data()).unwrap();
    // Columns that are always zero are left out.
    let kept = rows + 7;
    assert_eq!(
        bound.data_bytes(),
        8 * (rows + 1) + 2 * rows * (4 + 8) + 4 * kept
    );
    let batched = function.bind(&x, &y, data().batch(50)).unwrap();
    assert!(batched.data_bytes() > 8 * rows * kept);
}

#[test]
fn a_result_of_any_shape_can_be_evaluated_but_not_minimised() {
    let doubled = Function::<f64>::new(|v| v.data("a") * v.y("y") + v.x("x"));
    let (x, y) = (Layout::vector("x", 1), Layout::vector("y", 1));
    for rows in [1, 3, 1] {
        let a: Vec<f64> = (0..rows).map(f64::from).collect();
        let data = Data::new(a.len()).rows("a", a.clone(), &[1]);
        let found = doubled.evaluate((&x, &[5.0]), (&y, &[2.0]), data.clone());
        let expected: Vec<f64> = a.iter().map(|a| 2.0 * a + 5.0).collect();
        assert_eq!(found.unwrap(), expected);
        let bound = doubled.bind(&x, &y, data.clone());
        assert_eq!(bound.is_ok(), rows == 1);
        let wrong = doubled.evaluate((&x, &[5.0]), (&y, &[2.0, 3.0]), data);
        assert!(matches!(wrong, Err(Error::Length { .. })));
    }
}

#[test]
fn labels_of_other_data_are_checked() {
    let function = Function::new(losses);
    bind(&function, task(1, ROWS));
    let (x, y) = layouts(ROWS);
    let data = Data::new(ROWS)
        .rows("a", vec![0.0; ROWS * COLUMNS], &[COLUMNS])
        .labels("labels", vec![0, 1, 3, 0, 1]);
    let error = function.bind(&x, &y, data).err();
    let expected = Error::Index {
        what: "the labels \"labels\"".to_owned(),
        place: 2,
        index: 3,
        size: 3,
    };
    assert_eq!(error, Some(expected));
}
