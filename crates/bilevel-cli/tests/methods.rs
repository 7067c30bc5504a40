//! `bilevel methods` and `bilevel explain`: the list, and what is said and predicted of each.

use crate::common::{document, refused, succeed};
use serde_json::Value;

/// The names that scripts rely on.
const NAMES: &[&str] = &[
    "reversible",
    "basic",
    "improved",
    "bigsam",
    "bda",
    "truncated:J",
    "forward",
    "first-order",
    "ufo",
    "implicit:cg",
    "implicit:neumann",
    "implicit:fixed-point",
    "hoag",
    "one-stage",
    "t1t2",
    "bome",
    "f2sa",
    "pbgd",
    "bvfsm",
    "meha",
    "iaptt",
    "bamm",
    "soba",
    "stocbio",
];

#[test]
fn every_method_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let list = document(&succeed(folder.path(), "methods --json"));
    let names: Vec<&str> = list["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["name"].as_str().unwrap())
        .collect();
    for name in NAMES {
        assert!(names.contains(name), "{name}");
    }
    let text = succeed(folder.path(), "methods").stdout;
    for name in NAMES {
        assert!(text.contains(name), "{name}");
    }
    assert!(text.contains("basic, rhg"));
    for detector in list["detectors"].as_array().unwrap() {
        let name = detector["name"].as_str().unwrap();
        assert!(text.contains(name), "{name}");
        let page = succeed(folder.path(), &format!("explain {name}")).stdout;
        for part in ["summary", "how", "reference"] {
            assert!(
                page.contains(detector[part].as_str().unwrap()),
                "{name} {part}"
            );
        }
    }
    let auto = succeed(folder.path(), "explain auto").stdout;
    assert!(auto.contains("noise-matrix:hypergradient"), "{auto}");
}

#[test]
fn every_method_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let name = name.replace(":J", ":5");
        let ran = succeed(
            folder.path(),
            &format!("explain {name} --rows 40 --trusted-rows 20 --columns 3 --classes 2 --json"),
        );
        let page = document(&ran);
        assert_eq!(page["method"].as_str(), Some(name.as_str()));
        for field in [
            "summary",
            "oracles",
            "time",
            "memory",
            "use_when",
            "avoid_when",
            "reference",
        ] {
            assert!(page[field].as_str().unwrap().len() >= 3, "{name} {field}");
        }
        assert!(!page["update"].as_array().unwrap().is_empty(), "{name}");
        assert_eq!(page["problem"]["n"], 40);
        assert_eq!(page["problem"]["m"], 8);
        let zero = name == "first-order";
        assert_eq!(page["prediction"].is_null(), zero, "{name} {page}");
        assert_eq!(page["refused"].is_string(), zero, "{name}");
        if !zero {
            let prediction = &page["prediction"];
            assert!(prediction["flops"].as_f64().unwrap() > 0.0, "{name}");
            let bytes = |field: &str| prediction[field].as_u64().unwrap();
            let parts = bytes("data_bytes") + bytes("kept_bytes") + bytes("work_bytes");
            assert_eq!(bytes("peak_bytes"), parts, "{name}");
        }
    }
}

#[test]
fn predictions_follow_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let prediction = |options: &str| -> Value {
        let ran = succeed(
            folder.path(),
            &format!(
                "explain {options} --rows 60 --trusted-rows 10 --columns 5 --classes 3 --json"
            ),
        );
        document(&ran)["prediction"].clone()
    };
    let figure = |value: &Value, name: &str| value[name].as_f64().unwrap();
    let short = prediction("basic --steps 10");
    let long = prediction("basic --steps 1000");
    // K states of m = 18 numbers of four bytes, K gradients and K products.
    assert_eq!(figure(&short, "kept_bytes"), 10.0 * 18.0 * 4.0);
    assert_eq!(figure(&long, "kept_bytes"), 1000.0 * 18.0 * 4.0);
    assert_eq!(long["inner_calls"]["grad_y"], 1000.0);
    assert_eq!(long["inner_calls"]["pulls"], 1000.0);
    assert!(figure(&long, "flops") > 50.0 * figure(&short, "flops"));
    let tape = prediction("basic --steps 1000 --adjoint reverse:tape");
    assert!(figure(&tape, "kept_bytes") > figure(&long, "kept_bytes"));
    // Constant in K.
    let ufo = |steps| figure(&prediction(&format!("ufo --steps {steps}")), "kept_bytes");
    assert_eq!(ufo(10), ufo(1000));
    let wide = prediction("basic --steps 10 --model mlp:50");
    assert!(figure(&wide, "flops") > figure(&short, "flops"));
}

/// Objectives in closed form: how often they are asked is known, not what that takes.
/// A network has the products of its convolutions at each place; how long they take here is said when it is asked for.
#[test]
fn networks_are_explained_for() {
    let folder = tempfile::tempdir().unwrap();
    let explained = |options: &str| {
        let words = format!(
            "explain basic --steps 3 --model conv4:8 --pictures 16x16x3 --rows 20 --trusted-rows 10 --classes 4 {options}"
        );
        document(&succeed(folder.path(), &format!("{words} --json")))
    };
    let plain = explained("");
    // 8 kernels of 3 × 3 at 8 × 8, 4 × 4, 2 × 2 places and one, and 8 features × 4 classes.
    let row = 64 * 216 + (16 + 4 + 1) * 576 + 32;
    // A gradient is about two times the forward pass, a product four.
    let least = 2.0 * f64::from(row) * 20.0 * 3.0 * (2.0 + 4.0);
    let flops = plain["prediction"]["flops"].as_f64().unwrap();
    assert!(
        flops > 0.8 * least && flops < 2.5 * least,
        "{flops} {least}"
    );
    assert!(plain["prediction"].get("seconds").is_none());
    let timed = explained("--time");
    assert_eq!(timed["prediction"]["flops"], plain["prediction"]["flops"]);
    assert!(timed["prediction"]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn test_problems_are_explained_for() {
    let folder = tempfile::tempdir().unwrap();
    let page = document(&succeed(
        folder.path(),
        "explain basic --problem non-unique --dimension 100 --steps 7 --json",
    ));
    assert_eq!(
        (&page["problem"]["n"], &page["problem"]["m"]),
        (&100.into(), &200.into())
    );
    let prediction = &page["prediction"];
    assert_eq!(prediction["inner_calls"]["pulls"], 7.0);
    assert_eq!(prediction["kept_bytes"], 7 * 200 * 8);
    assert!(prediction["flops"].is_null());
    let text = succeed(folder.path(), "explain basic --problem quadratic").stdout;
    assert!(text.contains("n = 2, m = 2, K = 100"), "{text}");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for (words, part) in [
        ("explain bda2", "did you mean \"bda\"?"),
        ("explain truncated", "expected truncated:J with J"),
        ("explain truncated:0", "at least 1"),
        ("explain basic:3", "expected the name of a method"),
        ("explain basic --schedule constant:0.5", "no meaning here"),
        ("explain soba --steps 5", "no meaning with --method soba"),
        (
            "explain basic --problem quadratik",
            "did you mean \"quadratic\"?",
        ),
        ("explain basic --problem sine --dimension 2", "dimension"),
        ("explain basic --dimension 2", "--problem"),
        (
            "explain basic --model resnet18",
            "expected their shape, such as --pictures 32x32x3",
        ),
        (
            "explain basic --pictures 32x32x3 --columns 3072",
            "cannot be used with",
        ),
        ("explain basic --pictures 32", "28x28 or 32x32x3"),
        (
            "explain basic --problem ridge --rows 2",
            "cannot be used with",
        ),
    ] {
        refused(folder.path(), words, part);
    }
}
