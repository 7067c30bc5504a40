//! Elementwise functions where they are hardest: small and large numbers.

use bilevel_autodiff::{Argument, DType, Program, Real, Workspace, trace};

fn values<T: Real>(
    x: &[f64],
    function: impl for<'t> Fn(bilevel_autodiff::Var<'t>) -> bilevel_autodiff::Var<'t>,
) -> Vec<f64> {
    let graph = trace(&[(vec![x.len()], DType::Real)], |v| vec![function(v[0])]).unwrap();
    let program = Program::<T>::compile(&graph).unwrap();
    let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    let mut out = vec![T::zero(); x.len()];
    let arguments = [Argument::Real(&x[..])];
    program
        .run(&mut Workspace::default(), &arguments, &mut [&mut out])
        .unwrap();
    out.into_iter().map(T::to_double).collect()
}

fn close(found: &[f64], expected: &[f64], units: f64) {
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= units * b.abs(), "{found:?} {expected:?}");
    }
}

#[test]
fn erf_is_right_to_a_few_units() {
    // Computed by mpmath with 30 digits.
    let x = ERF.map(|(x, _)| x);
    let expected = ERF.map(|(_, y)| y);
    close(
        &values::<f64>(&x, |x| x.erf()),
        &expected,
        2.0 * f64::EPSILON,
    );
    let ends = values::<f64>(&[f64::INFINITY, f64::NEG_INFINITY, 30.0], |x| x.erf());
    assert_eq!(ends, [1.0, -1.0, 1.0]);
    assert!(values::<f64>(&[f64::NAN], |x| x.erf())[0].is_nan());
    let single = [1e-20_f32, 0.25, -0.75, 1.5, 3.0].map(f64::from);
    let double = values::<f64>(&single, |x| x.erf());
    close(
        &values::<f32>(&single, |x| x.erf()),
        &double,
        f64::from(f32::EPSILON),
    );
}

#[test]
fn small_numbers_keep_their_digits() {
    let x = [1e-300, -1e-20, 1e-9, 1e-5];
    // The series up to the third power.
    let log = x.map(|x: f64| x - x * x / 2.0 + x * x * x / 3.0);
    let exp = x.map(|x: f64| x + x * x / 2.0 + x * x * x / 6.0);
    close(&values::<f64>(&x, |x| x.log1p()), &log, 2.0 * f64::EPSILON);
    close(&values::<f64>(&x, |x| x.expm1()), &exp, 2.0 * f64::EPSILON);
    assert_eq!(values::<f64>(&[-1.0], |x| x.log1p()), [f64::NEG_INFINITY]);
    assert!(values::<f64>(&[-1.5], |x| x.log1p())[0].is_nan());
    assert_eq!(
        values::<f64>(&[-1e3, 1e3], |x| x.expm1()),
        [-1.0, f64::INFINITY]
    );
}

#[test]
fn angles_of_all_quadrants() {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};
    let angle = |y: f64, x: f64| values::<f64>(&[y], |v| v.atan2(v * 0.0 + x))[0];
    assert_eq!(angle(1.0, 1.0), FRAC_PI_4);
    assert_eq!(angle(1.0, -1.0), 3.0 * FRAC_PI_4);
    assert_eq!(angle(-1.0, 0.0), -FRAC_PI_2);
    assert_eq!(angle(0.0, -2.0), PI);
}

const ERF: [(f64, f64); 16] = [
    (1e-300, 1.1283791670955126e-300),
    (-1e-12, -1.1283791670955126e-12),
    (1e-05, 1.1283791670579e-05),
    (0.1, 0.1124629160182849),
    (-0.3, -0.3286267594591274),
    (0.5, 0.5204998778130465),
    (0.84, 0.7651427114549945),
    (0.85, 0.7706680576083526),
    (1.0, 0.8427007929497149),
    (-1.2, -0.9103139782296353),
    (1.25, 0.9229001282564583),
    (2.0, 0.9953222650189527),
    (2.8, 0.9999249868053346),
    (-3.0, -0.9999779095030014),
    (4.5, 0.9999999998033839),
    (5.9, 0.9999999999999999),
];
