//! Networks against PyTorch in double precision, on the same weights and pictures: `experiments/networks.py` wrote what is
//! expected.

use bilevel::vector::{dot, norm};
use bilevel::{Draw, Objective};
use bilevel_tasks::fewshot::{Pictures, TaskForm, Tasks, Trained};
use bilevel_tasks::network::{Network, Parameter, Role};
use serde::Deserialize;

const PICTURES: usize = 4;
const CLASSES: usize = 5;

#[derive(Deserialize)]
struct Expected {
    network: String,
    picture: [usize; 3],
    names: Vec<String>,
    logits: Vec<f64>,
    loss: f64,
    /// For each parameter, the length, and the product with the direction.
    gradient: Vec<[f64; 2]>,
    product: Vec<[f64; 2]>,
}

/// Numbers between -1/2 and 1/2, as in the script.
fn drawn(count: usize, number: usize) -> Vec<f64> {
    let of = |j: u64| {
        let mixed = j * 2_654_435_761 + number as u64 * 40_503 + 12_345;
        let mut mixed = mixed % (1 << 32);
        mixed ^= mixed >> 15;
        mixed = mixed * 2_246_822_519 % (1 << 32);
        mixed ^= mixed >> 13;
        mixed as f64 / 4_294_967_296.0 - 0.5
    };
    (0..count as u64).map(of).collect()
}

/// In PyTorch's order.
fn weights(parameter: &Parameter, number: usize) -> Vec<f64> {
    let mut values = drawn(parameter.len(), number);
    let outputs = parameter.torch_shape()[0];
    let inputs = parameter.len() / outputs;
    for value in &mut values {
        *value = match parameter.role {
            Role::Kernel | Role::Matrix { .. } => *value * (24.0 / inputs as f64).sqrt(),
            Role::Scale => 1.0 + 0.2 * *value,
            Role::Shift => 0.2 * *value,
        };
    }
    values
}

fn expect_close(found: f64, expected: f64, scale: f64, what: &str) {
    let apart = (found - expected).abs() / scale.max(1e-300);
    assert!(apart <= 1e-9, "{what}: {found} instead of {expected}");
}

/// The parts of a vector in the order of the parameters, and what is known about them.
fn expect_parts(found: &[f64], parameters: &[Parameter], expected: &[[f64; 2]], what: &str) {
    let whole = norm(found);
    let mut start = 0;
    for (number, (parameter, &[length, along])) in parameters.iter().zip(expected).enumerate() {
        let part = &found[start..start + parameter.len()];
        start += parameter.len();
        let direction = parameter.from_torch(&drawn(parameter.len(), 1000 + number));
        let what = format!("{what} {}", parameter.name);
        // Of some parameters only the rounding of others is left, as of a scale before a normalisation.
        let scale = length.max(1e-6 * whole);
        expect_close(norm(part), length, scale, &what);
        expect_close(
            dot(part, &direction),
            along,
            scale * norm(&direction),
            &what,
        );
    }
    assert_eq!(start, found.len());
}

#[test]
fn networks_are_those_of_pytorch() {
    let all: Vec<Expected> = serde_json::from_str(include_str!("files/networks.json")).unwrap();
    assert_eq!(all.len(), 7);
    for expected in all {
        let picture = expected.picture;
        let name = format!("{} {picture:?}", expected.network);
        let network: Network = expected.network.parse().unwrap();
        let form = TaskForm::plain(Trained::All);
        let tasks = Tasks::<f64>::new(network, picture, CLASSES, form).unwrap();
        let parameters = tasks.outer_parameters();
        let names: Vec<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, expected.names, "{name}");
        let own = |of: &dyn Fn(&Parameter, usize) -> Vec<f64>| -> Vec<f64> {
            let parts = parameters.iter().enumerate();
            parts
                .flat_map(|(number, p)| p.from_torch(&of(p, number)))
                .collect()
        };
        let y = own(&weights);
        let direction = own(&|parameter, number| drawn(parameter.len(), 1000 + number));
        let pixels: usize = picture.iter().product();
        let elements = drawn(PICTURES * pixels, 5000);
        let pictures = Pictures {
            elements: elements.into_iter().map(|pixel| pixel + 0.5).collect(),
            labels: (0..PICTURES as u32).map(|i| i % CLASSES as u32).collect(),
        };

        let logits = tasks.logits(&y, &y, &pictures.elements).unwrap();
        let scale = norm(&expected.logits);
        for (found, &expected) in logits.iter().zip(&expected.logits) {
            expect_close(*found, expected, scale, &format!("{name}: logits"));
        }
        let task = tasks.bind(&pictures, &pictures).unwrap();
        let mut at = task.inner.at(&y).unwrap();
        let value = at.value(&y, Draw::All).unwrap();
        expect_close(
            value,
            expected.loss,
            expected.loss,
            &format!("{name}: loss"),
        );
        let mut gradient = vec![0.0; y.len()];
        at.grad_y(&y, Draw::All, &mut gradient).unwrap();
        expect_parts(
            &gradient,
            &parameters,
            &expected.gradient,
            &format!("{name}: gradient"),
        );
        let mut product = vec![0.0; y.len()];
        let products = at.second_order().unwrap();
        products
            .pull(&y, Draw::All, &direction, &mut product)
            .unwrap();
        expect_parts(
            &product,
            &parameters,
            &expected.product,
            &format!("{name}: product"),
        );
    }
}
