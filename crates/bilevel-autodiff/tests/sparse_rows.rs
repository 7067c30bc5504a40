//! A matrix that is stored without its zeros is the same matrix.

use bilevel::{Draw, Layout, Objective};
use bilevel_autodiff::{Data, Function, SparseRows};

const ROWS: usize = 700;
const COLUMNS: usize = 90;
const CLASSES: usize = 3;

/// About one number of ten; some columns have none, `skipped` of eight.
fn matrix(skipped: usize) -> (Vec<f64>, SparseRows<f64>) {
    let mut dense = vec![0.0; ROWS * COLUMNS];
    let (mut starts, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            if (row * 31 + column * 17) % 11 == 0 && column % 8 >= skipped {
                let value = ((row * 7 + column) % 19) as f64 / 7.0 - 1.2;
                dense[row * COLUMNS + column] = value;
                columns.push(column as u32);
                values.push(value);
            }
        }
        starts.push(columns.len());
    }
    let rows = SparseRows::new(starts, columns, values, COLUMNS).unwrap();
    (dense, rows)
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Products alone, products with other uses, and batches: values, gradients and second-order products.
#[test]
fn zeros_that_are_not_stored_change_nothing() {
    let layout = Layout::new([("w", vec![COLUMNS, CLASSES])]);
    let x_layout = Layout::vector("x", ROWS);
    let losses: [(&str, Function<f64>); 2] = [
        (
            "products",
            Function::new(|v| {
                let logits = v.data("a").matmul(v.y("w"));
                (v.x_rows("x").sigmoid() * logits.cross_entropy(v.labels("l"))).mean()
            }),
        ),
        (
            "squares too",
            Function::new(|v| {
                let logits = v.data("a").matmul(v.y("w"));
                let sizes = v.data("a").square().sum(&[1]);
                (v.x_rows("x").sigmoid() * (logits.cross_entropy(v.labels("l")) + sizes)).mean()
            }),
        ),
    ];
    let labels: Vec<u32> = (0..ROWS).map(|row| (row % CLASSES) as u32).collect();
    let y: Vec<f64> = (0..COLUMNS * CLASSES)
        .map(|i| (i % 13) as f64 / 9.0 - 0.6)
        .collect();
    let x: Vec<f64> = (0..ROWS).map(|i| (i % 5) as f64 / 3.0 - 0.5).collect();
    for (name, loss) in &losses {
        for skipped in [0, 3] {
            let (dense, sparse) = matrix(skipped);
            for batch in [None, Some(64)] {
                let data = |data: Data<f64>| data.labels("l", labels.clone()).batch(batch);
                let of_dense = data(Data::new(ROWS).rows("a", dense.clone(), &[COLUMNS]));
                let of_sparse = data(Data::new(ROWS).sparse_rows("a", sparse.clone()));
                let draw = match batch {
                    None => Draw::All,
                    Some(_) => Draw::Step {
                        key: bilevel::Key::from_seed(3),
                        step: 2,
                    },
                };
                let [expected, found] = [of_dense, of_sparse].map(|data| {
                    let bound = loss.bind(&x_layout, &layout, data).unwrap();
                    let mut at = bound.at(&x).unwrap();
                    let mut all = vec![at.value(&y, draw).unwrap()];
                    let mut gradient = vec![0.0; y.len()];
                    at.grad_y(&y, draw, &mut gradient).unwrap();
                    all.extend(&gradient);
                    let mut x_bar = vec![0.0; x.len()];
                    at.grad_x(&y, draw, 1.5).unwrap();
                    at.finish(&mut x_bar).unwrap();
                    all.extend(&x_bar);
                    all
                });
                assert_eq!(bits(&found), bits(&expected), "{name} {skipped} {batch:?}");
            }
        }
    }
}
