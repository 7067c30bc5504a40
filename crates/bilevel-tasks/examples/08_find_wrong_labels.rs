//! Wrong labels in the embedded digits, found from Rust; `bilevel clean` does this with a report.
#![allow(clippy::print_stdout)]

use bilevel::{Adam, Field, GradientDescent, Hyper, Key, Unrolled};
use bilevel_tasks::cleaning::{
    Cleaned, Cleaning, CleaningData, CleaningSettings, OuterStep, Split,
};
use bilevel_tasks::corruption::{Corruption, CorruptionKind};
use bilevel_tasks::data::digits::digits;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = Key::from_seed(0);
    let split = Split {
        train: 300,
        trusted: 150,
        test: 0,
    };
    let corruption = Corruption {
        kind: CorruptionKind::Other,
        rate: 0.5,
    };
    let data = CleaningData::draw(&digits(), split, Some(&corruption), key)?;
    let settings = CleaningSettings {
        outer_steps: 10,
        early_stopping: None,
        ..CleaningSettings::default()
    };
    let cleaning = Cleaning::<f32>::new(&data, &settings, key)?;
    let method = Unrolled {
        dynamics: Box::new(GradientDescent {
            step_size: Hyper::Fixed(0.5),
            field: Field::Aggregate {
                schedule: "constant:0.5".parse()?,
                outer_scale: 1.0,
            },
            ..GradientDescent::default()
        }),
        steps: 30,
        ..Unrolled::default()
    };
    let optimizer = Adam::new(0.1);
    let mut state = cleaning.start(&optimizer);
    let mut watch = |step: &OuterStep| println!("step {}: f {:.4}", step.step, step.f);
    let why = cleaning.run(&mut state, &method, &optimizer, key, &mut watch)?;
    let cleaned = Cleaned::new(&state, why)?;
    let metrics = cleaning.metrics(&cleaned.weights)?.ok_or("no truth")?;
    let f1 = metrics.f1.ok_or("no kept row")?;
    println!("F1 {f1:.3}");
    assert!(f1 > 0.8);
    Ok(())
}
