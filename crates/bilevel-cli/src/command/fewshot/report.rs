//! The page `report.html` of a few-shot run.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words::{self, Facts};
use crate::failure::Failure;
use crate::report::html::{POLICY, STYLE, Series, chart, data_uri};

/// Query pictures of a class that are drawn.
const SHOWN: usize = 5;

/// The page as text.
pub(super) fn page(facts: &Facts<'_>) -> Result<String, Failure> {
    let result = facts.result;
    let headline = words::headline(result);
    let rows = words::comparison(result);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (headline) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { (headline) }
                        @for alarm in words::alarms(facts) { p.warning { (alarm) } }
                        p { (words::what(facts.job)) }
                        p { (words::training(result)) }
                        @if let Some(resume) = facts.resume {
                            p.warning { "The run is not finished. To continue it:" }
                            pre { (resume) }
                        }
                    }
                    section {
                        h2 { "What to do next" }
                        p { "To recognise your own pictures, put a few of each class into a folder of its own, and those to be recognised beside these folders:" }
                        pre { (facts.adapt) }
                    }
                    section {
                        h2 { "Compared with simple baselines" }
                        p { "The same tasks, of classes that training has not seen. Intervals are 95 % over tasks." }
                        div.scroll {
                            table {
                                @for (number, row) in rows.iter().enumerate() {
                                    tr {
                                        @for (column, cell) in row.iter().enumerate() {
                                            @if number == 0 { th scope="col" { (cell) } }
                                            @else if column == 0 { th scope="row" { (cell) } }
                                            @else { td { (cell) } }
                                        }
                                    }
                                }
                            }
                        }
                        dl.legend {
                            @for (name, meaning) in words::legend(result) { div { dt { (name) } dd { (meaning) } } }
                        }
                    }
                    (episode(facts)?)
                    (curves(facts))
                    section {
                        h2 { "Method" }
                        p { (words::check(result)) }
                        @if !result.step_factors.is_empty() {
                            p { "Learned factors of the step sizes: "
                                @for (name, factor) in &result.step_factors { (name) " " (format!("{factor:.2}")) "; " }
                            }
                        }
                    }
                    section {
                        h2 { "How to repeat this run" }
                        pre { (facts.repeat) }
                        p { "All figures are in " code { "result.json" } " and " code { "history.jsonl" }
                            ", the weights in " code { "weights.safetensors" } "." }
                        details {
                            summary { "All settings" }
                            pre { (facts.config) }
                        }
                        p.note { "bilevel " (env!("CARGO_PKG_VERSION")) }
                    }
                }
            }
        }
    };
    Ok(page.into_string())
}

/// The first test task, as pictures.
fn episode(facts: &Facts<'_>) -> Result<Markup, Failure> {
    let family = &facts.job.families.test;
    let task = family.episodes.draw(family.key, 0);
    let classes = &facts.job.classes;
    let shape = classes.set.shape;
    let picture = |drawn: &(u32, u8)| data_uri(&classes.elements::<f32>(&[*drawn]), shape);
    let (shot, query) = (family.episodes.shot, family.episodes.query);
    let mut rows = Vec::new();
    for (number, class) in task.classes.iter().enumerate() {
        let of = |all: &[(u32, u8)], each: usize, shown: usize| {
            let own = &all[number * each..(number + 1) * each];
            own.iter()
                .take(shown)
                .map(picture)
                .collect::<Result<Vec<_>, _>>()
        };
        let turned = match class.turns {
            0 => String::new(),
            turns => format!(", turned by {} degrees", 90 * u32::from(turns)),
        };
        rows.push((
            format!("{}{turned}", classes.set.classes[class.class].name),
            of(&task.support, shot, SHOWN)?,
            of(&task.query, query, SHOWN)?,
        ));
    }
    Ok(html! {
        section {
            h2 { "A task" }
            p { "The first test task: the pictures that it is trained on, and some of those that it is to recognise." }
            div.scroll {
                table {
                    tr { th scope="col" { "class" } th scope="col" { "trained on" } th scope="col" { "to be recognised" } }
                    @for (name, support, query) in &rows {
                        tr {
                            th scope="row" { (name) }
                            @for pictures in [support, query] {
                                td {
                                    @for uri in pictures { img width="42" height="42" style="image-rendering:pixelated" alt="" src=(uri); " " }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn curves(facts: &Facts<'_>) -> Markup {
    let points = |figure: fn(&bilevel_tasks::fewshot::FewshotStep) -> Option<f64>| {
        let steps = facts.history.iter();
        steps
            .filter_map(|step| Some((step.step as f64, figure(step)?)))
            .collect()
    };
    let loss = [Series {
        name: "f, the loss on query sets after training",
        points: points(|step| Some(step.f)),
    }];
    let accuracy = [Series {
        name: "accuracy on validation tasks",
        points: points(|step| step.validation),
    }];
    let kept = facts.result.kept_step as f64;
    html! {
        section {
            h2 { "Progress" }
            div.charts {
                (chart("Loss", &loss, kept))
                (chart("Accuracy", &accuracy, kept))
            }
            p.note { "Horizontal axis: outer steps. The vertical line marks the step that was kept, " (facts.result.kept_step) "." }
        }
    }
}
