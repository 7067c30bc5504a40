//! How long a hypergradient takes on this machine.

use bilevel::{Cost, Key};
use bilevel_tasks::cleaning::{CleaningSettings, Sizes};
use bilevel_tasks::cost::gradient_time;
use bilevel_tasks::data::{Dataset, ImageShape, numbered_classes};
use bilevel_tasks::model::{Examples, LossSettings};

use crate::failure::Failure;

/// Multiplications of a gradient that is timed, at most: some seconds.
const MOST: usize = 100_000_000_000;

/// The seconds of a hypergradient of this cost, from the time of a gradient of each objective on made-up rows: all of a step,
/// or as many as take seconds.
pub(super) fn seconds(
    cost: &Cost,
    sizes: Sizes,
    pictures: Option<ImageShape>,
    settings: &CleaningSettings,
) -> Result<f64, Failure> {
    let inner = settings.batch.unwrap_or(sizes.rows).min(sizes.rows);
    let outer = settings.trusted_batch.unwrap_or(sizes.trusted);
    let of = |rows: usize| gradient(rows, sizes, pictures, settings);
    let times = |gradients: f64, rows: usize| {
        // An objective that is not called needs no data.
        let called = gradients > 0.0;
        called
            .then(|| of(rows))
            .transpose()
            .map(|one| gradients * one.unwrap_or(0.0))
    };
    let inner = times(cost.inner.gradients(), inner)?;
    let outer = times(cost.outer.gradients(), outer)?;
    Ok(inner + outer)
}

/// The seconds of a gradient on so many rows.
fn gradient(
    rows: usize,
    sizes: Sizes,
    pictures: Option<ImageShape>,
    settings: &CleaningSettings,
) -> Result<f64, Failure> {
    let Sizes {
        columns, classes, ..
    } = sizes;
    let model = settings.model;
    let row = model.multiplications(columns, classes).max(1);
    let timed = rows.min((MOST / (2 * row)).max(1));
    let failed = |error| Failure::run(error);
    let pixels = Key::from_seed(0).normals().map(|normal| normal as f32);
    let features: Vec<f32> = pixels.take(timed * columns).collect();
    let labels = (0..timed).map(|row| (row % classes) as u32).collect();
    let names = numbered_classes(classes);
    let mut data = Dataset::new(features, columns, labels, names).map_err(failed)?;
    if let Some(shape) = pictures {
        data = data.with_image_shape(shape).map_err(failed)?;
    }
    let loss = model.loss::<f32>(LossSettings::default());
    let loss = loss.bind(&Examples::new(&data), None, 0).map_err(failed)?;
    let y: Vec<f32> = model.start(columns, classes, Key::from_seed(0));
    let fastest = gradient_time(&*loss, &[], &y).map_err(Failure::run)?;
    Ok(fastest.as_secs_f64() * rows as f64 / timed as f64)
}
