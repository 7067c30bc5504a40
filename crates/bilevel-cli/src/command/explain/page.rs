//! The text of a page.

use bilevel::Oracles;
use bilevel_tasks::cleaning::CleaningSettings;

use super::result::{ExplainResult, PredictionFigures};

/// As wide as a terminal.
const WIDTH: usize = 100;

pub(super) fn text(result: &ExplainResult) -> String {
    let names: Vec<&str> = std::iter::once(result.method.as_str())
        .chain(result.aliases.iter().copied())
        .collect();
    let mut text = paragraph("", &format!("{}: {}", names.join(", "), result.summary));
    text.push('\n');
    for formula in result.update {
        text += &paragraph("  ", formula);
    }
    text.push('\n');
    let options = if result.options.is_empty() {
        "none of its own".to_owned()
    } else {
        result.options.join(", ")
    };
    for (head, body) in [
        ("Oracles", result.oracles),
        ("Time", result.time),
        ("Memory", result.memory),
        ("Use it", result.use_when),
        ("Do not", result.avoid_when),
        ("Options", &options),
        ("Paper", result.reference),
    ] {
        text += &labelled(head, body);
    }
    let problem = &result.problem;
    text += &paragraph(
        "",
        &format!(
            "\nFor {}: n = {}, m = {}, {}{}, {} threads:",
            problem.name,
            problem.n,
            problem.m,
            problem
                .steps
                .map_or(String::new(), |steps| format!("K = {steps}, ")),
            problem.precision,
            problem.threads
        ),
    );
    match (&result.prediction, &result.refused) {
        (Some(prediction), _) => text += &predicted(prediction),
        (None, refused) => {
            let why = refused.as_deref().unwrap_or("it cannot be predicted");
            text += &labelled("Refused", why);
        }
    }
    text
}

fn predicted(prediction: &PredictionFigures) -> String {
    let megabytes = |bytes: usize| format!("{:.2} MB", bytes as f64 / 1e6);
    let mut text = labelled("Of g", &calls(prediction.inner_calls));
    text += &labelled("Of f", &calls(prediction.outer_calls));
    let mut work = format!(
        "about {:.0} gradients by the usual rule (a product counts as two)",
        prediction.gradients
    );
    if let Some(flops) = prediction.flops {
        work = format!("{:.3} GFLOP in matrix products, {work}", flops / 1e9);
    }
    text += &labelled("Work", &work);
    if let Some(seconds) = prediction.seconds {
        text += &labelled("Here", &duration(seconds));
    }
    let data = prediction.data_bytes.map_or(String::new(), |bytes| {
        format!(", data {}", megabytes(bytes))
    });
    text + &labelled(
        "At the peak",
        &format!(
            "{}: stored for the steps {}, work space {}{data}",
            megabytes(prediction.peak_bytes),
            megabytes(prediction.kept_bytes),
            megabytes(prediction.work_bytes)
        ),
    )
}

/// A hypergradient, and a run of a usual length.
fn duration(seconds: f64) -> String {
    let updates = CleaningSettings::default().outer_steps;
    let said = |seconds: f64| match seconds {
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{:.1} hours", s / 3600.0),
    };
    format!(
        "about {} on this machine, {} for {updates} updates (from the time of a gradient on made-up rows)",
        said(seconds),
        said(seconds * updates as f64)
    )
}

fn calls(oracles: Oracles) -> String {
    let mut named: Vec<(f64, &str)> = vec![];
    for (oracle, count) in oracles.iter() {
        match named.iter_mut().find(|(_, text)| *text == oracle.text()) {
            Some((sum, _)) => *sum += count,
            None => named.push((count, oracle.text())),
        }
    }
    let present: Vec<String> = named
        .iter()
        .filter(|(count, _)| *count > 0.0)
        .map(|(count, name)| {
            let rounded = (count * 100.0).round() / 100.0;
            format!("{rounded} × {name}")
        })
        .collect();
    if present.is_empty() {
        "nothing".to_owned()
    } else {
        present.join(", ")
    }
}

fn labelled(head: &str, body: &str) -> String {
    let text = paragraph("               ", body);
    format!("  {head:<13}{}", text.trim_start())
}

/// Wraps words into lines that start with this indent.
fn paragraph(indent: &str, words: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in words.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > WIDTH {
            text.push('\n');
            width = 0;
        }
        if width == 0 {
            text += indent;
            width = indent.len();
        } else {
            text.push(' ');
            width += 1;
        }
        text += word;
        width += len;
    }
    text.push('\n');
    text
}
