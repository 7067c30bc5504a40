//! Every way to the hypergradient gives the same one: reverse, taped, checkpointed, truncated
//! after all steps, forward, central differences.

use bilevel::check::{adjoint_dot_test, forward_check, gradient_check, replay_check};
use bilevel::vector::relative_difference;
use bilevel::{
    At, Checkpointed, Dynamics, Field, Forward, HyperGradient, Key, Memory, Problem, Reverse,
    ReverseTape, Truncated,
};

use super::{STEPS, unrolled};

/// Every field with every form of schedule; the learned weights are also weights of rows.
pub(crate) fn fields() -> Vec<Field> {
    let aggregate = |schedule: &str| Field::Aggregate {
        schedule: schedule.parse().unwrap(),
        outer_scale: 0.7,
    };
    let mut fields = vec![Field::Inner];
    fields.extend(
        [
            "constant:0.5",
            "constant:1",
            "harmonic:0.9",
            "harmonic:3",
            "geometric:0.5,0.9",
            "bigsam:1,0.5,1",
            "per-outer:0.9,10",
            "every:4,constant:0.5",
            "learned:2,1",
            "every:3,learned:6,5",
        ]
        .map(aggregate),
    );
    fields
}

/// The whole grid: what it says of each pair is in one place.
pub(crate) fn assert_agreement(
    problem: &Problem<f64>,
    dynamics: &(impl Dynamics<f64> + Clone + 'static),
    x: &[f64],
    label: &str,
) {
    let key = Key::from_seed(3);
    let reverse = unrolled(dynamics, Reverse);
    let check = gradient_check(&reverse, &At::new(problem, x, key), 2, 1e-7).unwrap();
    assert!(check.passed(), "{label}: differences {check:?}");
    let check = forward_check(&reverse, &At::new(problem, x, key), 3, 1e-12).unwrap();
    assert!(check.passed(), "{label}: forward {check:?}");
    let check = adjoint_dot_test(dynamics, &At::new(problem, x, key), 1e-12).unwrap();
    assert!(check.passed(), "{label}: dot test {check:?}");
    for slots in [1, 2, 3, 5, STEPS, STEPS + 2] {
        let checkpointed = unrolled(dynamics, Checkpointed { slots });
        let same = replay_check(&reverse, &checkpointed, &At::new(problem, x, key)).unwrap();
        assert!(same, "{label}: {slots} slots");
    }
    for last in [STEPS, STEPS + 1] {
        let whole = unrolled(dynamics, Truncated { last });
        let same = replay_check(&reverse, &whole, &At::new(problem, x, key)).unwrap();
        assert!(same, "{label}: the last {last} steps");
    }
    let taped = unrolled(dynamics, ReverseTape::default());
    let check = forward_check(&taped, &At::new(problem, x, key), 3, 1e-12).unwrap();
    assert!(check.passed(), "{label}: forward, taped {check:?}");
    let forward = unrolled(dynamics, Forward::default());
    let [taped, forward, reverse] = [&taped, &forward, &reverse].map(|method| {
        let mut out = vec![0.0; x.len()];
        let report = method
            .estimate(&At::new(problem, x, key), &mut Memory::default(), &mut out)
            .unwrap();
        // One more than the value, which may be anywhere near zero.
        [vec![1.0 + report.value], report.y, out]
    });
    for (name, other) in [("taped", &taped), ("forward", &forward)] {
        for (other, reverse) in other.iter().zip(&reverse) {
            let difference = relative_difference(other, reverse);
            assert!(difference <= 1e-12, "{label}: {name} {difference}");
        }
    }
}
