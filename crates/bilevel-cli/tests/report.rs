//! `report.html`, as a reader's browser opens it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{bilevel, succeed};
use serde_json::Value;

const DIGITS: &str =
    "clean --train-rows 200 --trusted-rows 100 --steps 20 --outer-steps 6 --quiet --out out";

fn page(run: &Path) -> String {
    fs::read_to_string(run.join("report.html")).unwrap()
}

/// A browser on the search path, or the one that `BILEVEL_BROWSER` names.
fn browser() -> Option<String> {
    let there = |name: &String| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok()
    };
    let named = std::env::var("BILEVEL_BROWSER").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let usual = usual.map(str::to_owned);
    named.into_iter().chain(usual).find(there)
}

/// What a page did in a browser.
#[derive(Debug)]
struct Seen {
    /// The document after it was loaded.
    text: String,
    /// Addresses outside the file that the page asked for.
    requests: Vec<String>,
    /// What the console said.
    console: Vec<String>,
}

/// Opens a page in a browser of its own, from which no name leads anywhere.
fn open(browser: &str, page: &Path) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let (log, profile) = (
        folder.path().join("log.json"),
        folder.path().join("profile"),
    );
    let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
    let mut process = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("file://{}", page.display()))
        .stdout(file("dom"))
        .stderr(file("messages"))
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(120) {
            process.kill().unwrap();
            panic!("{browser} did not end within two minutes");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let log: Value = serde_json::from_str(&read("log.json")).unwrap();
    // The browser has its own requests, which no page began.
    let mut requests: Vec<String> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["params"])
        .filter(|params| {
            params["initiator"]
                .as_str()
                .is_some_and(|by| by != "not an origin")
        })
        .filter_map(|params| params["url"].as_str())
        .filter(|url| !url.starts_with("file:") && !url.starts_with("data:"))
        .map(str::to_owned)
        .collect();
    requests.sort();
    requests.dedup();
    Seen {
        text: read("dom"),
        requests,
        console: read("messages")
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned)
            .collect(),
    }
}

/// Fails unless the page is silent; what it looks like is left to people.
fn expect_silent(browser: &str, page: &Path, part: &str) {
    let seen = open(browser, page);
    assert_eq!(seen.requests, [""; 0], "{}", page.display());
    assert_eq!(seen.console, [""; 0], "{}", page.display());
    assert!(seen.text.contains(part), "{}", seen.text);
}

/// A table whose every text would be markup, a script or an address, were it not escaped.
fn hostile_table() -> String {
    let evil = "<img src=http://cell.invalid/x onerror=alert(1)>";
    let mut text = format!("id,\"a & {evil}\",b,\"</style><script src=http://name.invalid/>\",y\n");
    for row in 0..60 {
        let side = if row % 2 == 0 { 1.0 } else { -1.0 };
        let class = if (row % 2 == 0) == (row % 7 != 3) {
            "</td><b>up</b>"
        } else {
            "\"\"\"down' & \"\"\""
        };
        let noise = f64::from(row * 37 % 11) / 10.0;
        let _ = writeln!(
            text,
            "{evil}{row},{},{noise},{},{class}",
            side + 0.1 * noise,
            2.0 * side
        );
    }
    text
}

#[test]
fn the_page_says_what_the_files_say_and_asks_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(here, DIGITS);
    let run = here.join("out");
    let text = page(&run);
    let scores = fs::read_to_string(run.join("scores.csv")).unwrap();
    let suspects = scores.matches(",true,").count();
    assert!(suspects > 24, "{suspects}");
    assert!(text.contains(&format!("<h1>{suspects} of 200 labels look wrong</h1>")));
    assert_eq!(text.matches("<article>").count(), 24);
    assert_eq!(text.matches("src=\"data:image/png;base64,").count(), 24);
    // f and held-out loss; F1 and AUC.
    assert_eq!(text.matches("<polyline").count(), 4);
    let history = fs::read_to_string(run.join("history.jsonl")).unwrap();
    let curve = text
        .split("points=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(curve.split(' ').count(), history.lines().count());
    let first = scores.lines().nth(1).unwrap().split(',').next().unwrap();
    assert!(text.contains(&format!("rank 1, row {first}, weight ")));
    for part in [
        "agreement",
        "wins",
        "true label: ",
        "model = &quot;softmax&quot;",
        "bilevel run out/config.toml",
        "seed = 0",
    ] {
        assert!(text.to_lowercase().contains(part), "{part}");
    }
    // Every row once in the table of given against suggested labels.
    let table = text.split("class=\"confusion\"").nth(1).unwrap();
    let table = table.split("</table>").next().unwrap();
    let cells = table.split("<td").skip(1).map(|cell| {
        let cell = cell.split_once('>').unwrap().1;
        cell.split('<').next().unwrap().parse().unwrap_or(0)
    });
    assert_eq!(cells.sum::<usize>(), 200);
    for loaded in ["http:", "https:", "<script", "url(", "@import"] {
        assert!(!text.contains(loaded), "{loaded}");
    }
    let Some(browser) = browser() else {
        println!("skipped: no browser on the search path");
        return;
    };
    expect_silent(&browser, &run.join("report.html"), "labels look wrong");
}

#[test]
fn texts_of_the_data_are_never_markup() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("t.csv"), hostile_table()).unwrap();
    succeed(
        here,
        "clean t.csv --label y --trusted-rows 20 --steps 20 --outer-steps 20 --early-stopping off --quiet --out out",
    );
    let run = here.join("out");
    let text = page(&run);
    assert!(text.contains("&lt;img src=http://cell.invalid/x"), "{text}");
    for markup in ["<img src=http", "<script", "<b>up"] {
        assert!(!text.contains(markup), "{markup}");
    }
    assert!(text.contains("class=\"cells\""));
    // What is not known is not drawn.
    assert_eq!(text.matches("<polyline").count(), 1);
    let Some(browser) = browser() else {
        println!("skipped: no browser on the search path");
        return;
    };
    expect_silent(&browser, &run.join("report.html"), "cell.invalid");
}

/// The same run, stopped and resumed, has the same page but for times; a stopped one says how to go
/// on.
#[test]
fn a_stopped_run_has_a_page_and_resume_makes_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(
        here,
        &DIGITS.replace("--quiet", "--quiet --time-limit 0.001s"),
    );
    let run = here.join("out");
    assert!(page(&run).contains("The run is not finished"));
    let ran = bilevel(here, "resume out --time-limit 1h --quiet");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = page(&run);
    assert!(!text.contains("The run is not finished"));
    succeed(here, &DIGITS.replace("--out out", "--out whole"));
    let curves = |text: &str| -> Vec<String> {
        let curves = text.split("points=\"").skip(1);
        curves
            .map(|curve| curve.split('"').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(curves(&text), curves(&page(&here.join("whole"))));
    assert!(!curves(&text).is_empty());
}

/// The browser test sees what it is there to see.
#[test]
fn requests_and_errors_are_seen() {
    let Some(browser) = browser() else {
        println!("skipped: no browser on the search path");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(
        &page,
        "<!DOCTYPE html><img src='http://report.invalid/x.png'><script>console.error('oh')</script>",
    )
    .unwrap();
    let seen = open(&browser, &page);
    assert_eq!(seen.requests, ["http://report.invalid/x.png"]);
    assert!(
        seen.console.iter().any(|line| line.contains("oh")),
        "{seen:?}"
    );
}
