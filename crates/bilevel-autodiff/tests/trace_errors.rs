//! Mistakes in a traced function come back as one error, the first, with the operation, the shapes
//! and the caller's line. Nothing panics, whatever is done afterwards.

use bilevel_autodiff::graph::Op;
use bilevel_autodiff::reference::{Value, evaluate};
use bilevel_autodiff::transform::{grad, jvp, vjp};
use bilevel_autodiff::{DType, Error, Fault, Graph, Shape, Tracer, Var, trace};

/// v[0]: [2, 3], v[1]: [4], v[2]: a mask [2, 3], v[3]: indices [2], v[4]: scalar, v[5]: [5, 2, 3].
fn inputs() -> Vec<(Shape, DType)> {
    vec![
        (vec![2, 3], DType::Real),
        (vec![4], DType::Real),
        (vec![2, 3], DType::Mask),
        (vec![2], DType::Index),
        (vec![], DType::Real),
        (vec![5, 2, 3], DType::Real),
    ]
}

/// The error of an expression in v, and the line of the expression.
macro_rules! error {
    (|$v:ident| $wrong:expr) => {
        (trace(&inputs(), |$v| vec![$wrong]).unwrap_err(), line!())
    };
}

/// Checks that the message names the operation, the shapes and the line. Returns the fault.
#[track_caller]
fn check((error, line): (Error, u32), name: &str, shapes: &[&[usize]]) -> Fault {
    let message = error.to_string();
    let Error::Operation {
        operation,
        operands,
        fault,
        location,
    } = error
    else {
        panic!("another error: {message}");
    };
    assert_eq!(operation, name, "{message}");
    assert_eq!(operands, shapes, "{message}");
    let location = location.unwrap_or_else(|| panic!("no line: {message}"));
    assert_eq!((location.file(), location.line()), (file!(), line));
    let shapes: Vec<String> = shapes.iter().map(|shape| format!("{shape:?}")).collect();
    let start = format!("{name} of {} at {}:{line}:", shapes.join(" and "), file!());
    assert!(message.starts_with(&start), "{message}");
    assert!(message.ends_with(&fault.to_string()), "{message}");
    fault
}

#[track_caller]
fn check_shape(found: (Error, u32), name: &str, shapes: &[&[usize]], expected: &str) {
    let fault = check(found, name, shapes);
    let Fault::Shape { expected: found } = &fault else {
        panic!("{fault:?}");
    };
    assert!(found.contains(expected), "{found}");
}

#[track_caller]
fn check_axis(found: (Error, u32), name: &str, shapes: &[&[usize]], axis: usize) {
    assert_eq!(check(found, name, shapes), Fault::Axis { axis });
}

#[track_caller]
fn check_dtype(found: (Error, u32), name: &str, shapes: &[&[usize]], dtypes: (DType, DType)) {
    let (expected, found_dtype) = dtypes;
    let fault = Fault::DType {
        expected,
        found: found_dtype,
    };
    assert_eq!(check(found, name, shapes), fault);
}

const A: &[usize] = &[2, 3];
const FOUR: &[usize] = &[4];
const TWO: &[usize] = &[2];
const BATCH: &[usize] = &[5, 2, 3];

#[test]
fn shapes_that_cannot_be_broadcast_together() {
    let together = "equal or 1 on each axis";
    let both = &[A, FOUR];
    check_shape(error!(|v| v[0] + v[1]), "addition", both, together);
    check_shape(error!(|v| v[0] - v[1]), "subtraction", both, together);
    check_shape(error!(|v| v[0] * v[1]), "multiplication", both, together);
    check_shape(error!(|v| v[0] / v[1]), "division", both, together);
    check_shape(error!(|v| v[0].pow(v[1])), "power", both, together);
    check_shape(error!(|v| v[0].maximum(v[1])), "maximum", both, together);
    check_shape(error!(|v| v[0].minimum(v[1])), "minimum", both, together);
    check_shape(error!(|v| v[0].less(v[1])), "comparison", both, together);
    check_shape(
        error!(|v| v[0].less_equal(v[1])),
        "comparison",
        both,
        together,
    );
    check_shape(error!(|v| v[0].equal(v[1])), "comparison", both, together);
    let three = &[A, BATCH, FOUR];
    check_shape(
        error!(|v| v[2].select(v[5], v[1])),
        "select",
        three,
        together,
    );
}

#[test]
fn shapes_of_the_other_operations() {
    check_shape(
        error!(|v| v[0].reshape(&[4])),
        "reshape",
        &[A],
        "6 elements",
    );
    check_shape(
        error!(|v| v[5].transpose(&[0, 1])),
        "transpose",
        &[BATCH],
        "every axis",
    );
    check_shape(
        error!(|v| v[0].broadcast(&[2, 4])),
        "broadcast",
        &[A],
        "[2, 4]",
    );
    check_shape(
        error!(|v| v[1].broadcast(&[2, 3])),
        "broadcast",
        &[FOUR],
        "[2, 3]",
    );
    check_shape(error!(|v| v[0].broadcast(&[3])), "broadcast", &[A], "[3]");
    check_shape(error!(|v| v[0].slice(1, 2, 2)), "slice", &[A], "at least 4");
    check_shape(
        error!(|v| v[0].slice(1, usize::MAX, 2)),
        "slice",
        &[A],
        "at least",
    );
    check_shape(
        error!(|v| v[0].concat(0, v[1])),
        "concat",
        &[A, FOUR],
        "axis 0 alone",
    );
    check_shape(
        error!(|v| v[5].concat(0, v[0])),
        "concat",
        &[BATCH, A],
        "axis 0 alone",
    );
    check_shape(
        error!(|v| v[0].matmul(v[0])),
        "matmul",
        &[A, A],
        "found 3 and 2",
    );
    check_shape(
        error!(|v| v[0].matmul(v[1])),
        "matmul",
        &[A, FOUR],
        "two matrices",
    );
    check_shape(
        error!(|v| v[5].matmul(v[0].t())),
        "matmul",
        &[BATCH, &[3, 2]],
        "batches",
    );
    check_shape(
        error!(|v| v[4].take_rows(v[3])),
        "take_rows",
        &[&[], TWO],
        "rows",
    );
    check_shape(
        error!(|v| v[1].add_rows(v[3], 9)),
        "add_rows",
        &[FOUR, TWO],
        "each row",
    );
    check_shape(
        error!(|v| v[5].pick(v[3])),
        "pick",
        &[BATCH, TWO],
        "one index",
    );
    check_shape(
        error!(|v| v[0].place(v[3], 9)),
        "place",
        &[A, TWO],
        "one index",
    );
    check_shape(
        error!(|v| v[5].cross_entropy(v[3])),
        "pick",
        &[BATCH, TWO],
        "one index",
    );
}

#[test]
fn tensors_larger_than_any_memory() {
    let huge = usize::MAX / 2;
    let size = "elements";
    check_shape(error!(|v| v[0].pad(0, huge, huge)), "pad", &[A], size);
    check_shape(error!(|v| v[0].pad(0, usize::MAX, 1)), "pad", &[A], size);
    check_shape(
        error!(|v| v[4].broadcast(&[huge, 9])),
        "broadcast",
        &[&[1, 1]],
        size,
    );
    check_shape(
        error!(|v| v[0].reshape(&[huge, 12])),
        "reshape",
        &[A],
        "6 elements",
    );
    check_shape(
        error!(|v| v[3].reshape(&[0, huge, 9])),
        "reshape",
        &[TWO],
        "2 elements",
    );
    check_shape(
        error!(|v| v[0].add_rows(v[3], huge)),
        "add_rows",
        &[A, TWO],
        size,
    );
    check_shape(
        error!(|v| v[1].slice(0, 0, 2).place(v[3], huge)),
        "place",
        &[TWO, TWO],
        size,
    );
    let error = trace(&[(vec![huge, 9], DType::Real)], |v| vec![v[0]]).unwrap_err();
    check_shape((error, line!() - 1), "input", &[&[huge, 9]], size);
}

#[test]
fn axes() {
    check_axis(error!(|v| v[0].sum(&[2])), "sum", &[A], 2);
    check_axis(error!(|v| v[0].sum(&[1, 1])), "sum", &[A], 1);
    check_axis(error!(|v| v[0].max(&[0, 7])), "max", &[A], 7);
    check_axis(error!(|v| v[0].max(&[0, 0])), "max", &[A], 0);
    check_axis(error!(|v| v[0].log_sum_exp(2)), "log-sum-exp", &[A], 2);
    check_axis(error!(|v| v[0].softmax(3)), "softmax", &[A], 3);
    check_axis(error!(|v| v[0].slice(2, 0, 0)), "slice", &[A], 2);
    check_axis(error!(|v| v[0].pad(2, 0, 0)), "pad", &[A], 2);
    check_axis(error!(|v| v[0].concat(2, v[0])), "concat", &[A, A], 2);
    check_axis(error!(|v| v[0].transpose(&[0, 2])), "transpose", &[A], 2);
    check_axis(error!(|v| v[0].transpose(&[1, 1])), "transpose", &[A], 1);
    check_axis(error!(|v| v[4].sum(&[0])), "sum", &[&[]], 0);
}

#[test]
fn dtypes() {
    use DType::{Index, Mask, Real};
    check_dtype(error!(|v| -v[2]), "negation", &[A], (Real, Mask));
    check_dtype(error!(|v| v[3].exp()), "exp", &[TWO], (Real, Index));
    check_dtype(error!(|v| v[0] + v[2]), "addition", &[A, A], (Real, Mask));
    check_dtype(
        error!(|v| v[2] * 2.0),
        "multiplication",
        &[A, A],
        (Real, Mask),
    );
    check_dtype(
        error!(|v| 2.0 / v[3]),
        "division",
        &[TWO, TWO],
        (Real, Index),
    );
    check_dtype(error!(|v| v[2].powf(2.0)), "power", &[A, A], (Real, Mask));
    check_dtype(
        error!(|v| v[3].square()),
        "multiplication",
        &[TWO, TWO],
        (Real, Index),
    );
    check_dtype(
        error!(|v| v[2].equal(v[2])),
        "comparison",
        &[A, A],
        (Real, Mask),
    );
    check_dtype(
        error!(|v| v[0].select(v[0], v[0])),
        "select",
        &[A, A, A],
        (Mask, Real),
    );
    check_dtype(
        error!(|v| v[2].select(v[2], v[0])),
        "select",
        &[A, A, A],
        (Real, Mask),
    );
    check_dtype(error!(|v| v[3].pad(0, 1, 1)), "pad", &[TWO], (Real, Index));
    check_dtype(
        error!(|v| v[0].concat(0, v[2])),
        "concat",
        &[A, A],
        (Real, Mask),
    );
    check_dtype(error!(|v| v[2].sum(&[0])), "sum", &[A], (Real, Mask));
    check_dtype(error!(|v| v[3].sum_all()), "sum", &[TWO], (Real, Index));
    check_dtype(error!(|v| v[3].mean()), "sum", &[TWO], (Real, Index));
    check_dtype(error!(|v| v[3].max(&[0])), "max", &[TWO], (Real, Index));
    check_dtype(
        error!(|v| v[0].matmul(v[2].t())),
        "matmul",
        &[A, &[3, 2]],
        (Real, Mask),
    );
    check_dtype(
        error!(|v| v[0].take_rows(v[1])),
        "take_rows",
        &[A, FOUR],
        (Index, Real),
    );
    check_dtype(
        error!(|v| v[2].take_rows(v[3])),
        "take_rows",
        &[A, TWO],
        (Real, Mask),
    );
    check_dtype(
        error!(|v| v[2].add_rows(v[3], 4)),
        "add_rows",
        &[A, TWO],
        (Real, Mask),
    );
    check_dtype(error!(|v| v[2].pick(v[3])), "pick", &[A, TWO], (Real, Mask));
    check_dtype(
        error!(|v| v[0].cross_entropy(v[1])),
        "pick",
        &[A, FOUR],
        (Index, Real),
    );
    check_dtype(
        error!(|v| v[3].place(v[3], 4)),
        "place",
        &[TWO, TWO],
        (Real, Index),
    );
}

#[test]
fn variables_of_another_trace() {
    let other = Tracer::default();
    let w = other.input(vec![4], DType::Real);
    let foreign = |found, name: &str, shapes: &[&[usize]]| {
        assert_eq!(check(found, name, shapes), Fault::Foreign);
    };
    foreign(nested(|v, w| v + w), "addition", &[A, FOUR]);
    foreign(nested(|v, w| v.matmul(w)), "matmul", &[A, FOUR]);
    foreign(nested(|v, w| v.concat(0, w)), "concat", &[A, FOUR]);
    foreign(nested(|v, w| v.take_rows(w)), "take_rows", &[A, FOUR]);
    foreign(nested(|v, w| v.select(w, v)), "select", &[A, FOUR, A]);
    foreign(nested(|v, w| v.select(v, w)), "select", &[A, A, FOUR]);
    foreign(nested(|v, w| v.cross_entropy(w)), "pick", &[A, FOUR]);
    // The other trace still works.
    assert_eq!((w + w).shape(), [4]);
}

/// An operation of a trace on one of its variables and one of another trace. Types do not tell the
/// traces apart, since both are live.
#[track_caller]
fn nested(wrong: impl for<'a> Fn(Var<'a>, Var<'a>) -> Var<'a>) -> (Error, u32) {
    let other = Tracer::default();
    let w = other.input(vec![4], DType::Real);
    let error = trace(&inputs(), |v| {
        let _ = wrong(v[0], w);
        vec![v[4]]
    });
    (error.unwrap_err(), std::panic::Location::caller().line())
}

#[test]
fn an_output_of_another_trace() {
    let other: &'static Tracer = Box::leak(Box::default());
    let w = other.input(vec![4], DType::Real);
    let error = trace(&inputs(), |v| vec![v[0], w]).unwrap_err();
    let fault = check((error, line!() - 1), "output", &[FOUR]);
    assert_eq!(fault, Fault::Foreign);
}

#[test]
fn the_first_error_is_the_one() {
    let mut line = 0;
    let error = trace(&inputs(), |v| {
        line = line!() + 1;
        let wrong = v[0].matmul(v[0]);
        let after = [wrong + v[1], v[1] * wrong, wrong.sum(&[9]), -wrong];
        let other = v[0] + v[1];
        let all = after.iter().fold(other, |a, &b| a.concat(3, b).exp());
        assert_eq!(all.shape(), Vec::<usize>::new());
        vec![all, v[0].transpose(&[7])]
    });
    check_shape(
        (error.unwrap_err(), line),
        "matmul",
        &[A, A],
        "found 3 and 2",
    );
}

fn graph() -> Graph {
    trace(&inputs(), |v| vec![v[0].exp(), v[0].less(v[0])]).unwrap()
}

#[test]
fn transforms_refuse_what_does_not_fit() {
    let mut graph = graph();
    let (a, four, e) = (graph.inputs()[0], graph.inputs()[1], graph.outputs[0]);
    let not_scalar = Error::NotScalar { shape: vec![2, 3] };
    assert_eq!(grad(&mut graph, e, &[a]).unwrap_err(), not_scalar);
    let six = graph.push(Op::Reshape(vec![6]), &[a]).unwrap();
    for wrong in [four, six, graph.inputs()[2], graph.outputs[1]] {
        let shapes = vec![vec![2, 3], graph.shape(wrong).to_vec()];
        let check = |name: &str, error: Error| match error {
            Error::Operation {
                operation,
                operands,
                ..
            } => assert_eq!((operation, operands), (name, shapes.clone())),
            other => panic!("{other}"),
        };
        check("jvp", jvp(&mut graph, &[(a, wrong)], &[e]).unwrap_err());
        check("jvp", jvp(&mut graph, &[(a, wrong)], &[six]).unwrap_err());
        check("vjp", vjp(&mut graph, &[(e, wrong)], &[a]).unwrap_err());
        check("vjp", vjp(&mut graph, &[(a, wrong)], &[a]).unwrap_err());
    }
}

#[test]
fn graphs_refuse_too_few_and_too_many_operands() {
    let mut graph = graph();
    let a = graph.inputs()[0];
    let mut large = Graph::new();
    let far = (0..99).map(|_| large.constant(0.0)).last().unwrap();
    for op in every_op() {
        for operands in [&[][..], &[a; 4]] {
            let error = graph.push(op.clone(), operands).unwrap_err();
            assert!(matches!(error, Error::Operation { .. }), "{error}");
        }
        let error = graph.push(op.clone(), &[far, far]).unwrap_err();
        assert!(error.to_string().contains("another"), "{error}");
    }
}

/// One operation of each kind.
fn every_op() -> Vec<Op> {
    use crate::common::instance::instance;
    use crate::common::source::Source;
    use bilevel_autodiff::Kind;
    let ops = Kind::all().into_iter().map(|kind| {
        let graph = instance(kind, &mut Source::new(1)).graph;
        let mut ops = graph.nodes().iter().map(|node| node.op.clone());
        ops.find(|op| Kind::of(op) == kind).unwrap()
    });
    ops.collect()
}

#[test]
fn arguments_that_do_not_fit() {
    let graph = trace(&inputs()[3..4], |v| vec![v[0]]).unwrap();
    let length = |found| Error::Length {
        what: "argument 0, indices,".to_owned(),
        expected: 2,
        found,
    };
    let evaluate = |arguments: &[Value<f64>]| evaluate(&graph, arguments).unwrap_err();
    assert_eq!(evaluate(&[]), length(0));
    assert_eq!(evaluate(&[Value::Index(vec![1; 3])]), length(3));
    assert_eq!(evaluate(&[Value::Real(vec![1.0; 2])]), length(2));
}

#[test]
fn an_index_out_of_range() {
    let index = (vec![3], DType::Index);
    let real = |shape: &[usize]| (shape.to_vec(), DType::Real);
    let graphs = [
        trace(&[real(&[4, 2]), index.clone()], |v| {
            vec![v[0].take_rows(v[1])]
        }),
        trace(&[real(&[3, 2]), index.clone()], |v| {
            vec![v[0].add_rows(v[1], 4)]
        }),
        trace(&[real(&[3, 4]), index.clone()], |v| vec![v[0].pick(v[1])]),
        trace(&[real(&[3]), index], |v| vec![v[0].place(v[1], 4)]),
    ];
    for graph in graphs {
        let graph = graph.unwrap();
        let data = vec![1.0; graph.node(graph.inputs()[0]).len()];
        let with = |index| [Value::Real(data.clone()), Value::Index(index)];
        assert!(evaluate(&graph, &with(vec![0, 3, 1])).is_ok());
        let error = evaluate(&graph, &with(vec![0, 4, 9])).unwrap_err();
        let expected = Error::Index {
            what: "the indices".to_owned(),
            place: 1,
            index: 4,
            size: 4,
        };
        assert_eq!(error, expected);
    }
}
