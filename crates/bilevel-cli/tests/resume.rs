//! `bilevel resume`: runs that are killed, stopped, damaged or finished.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{bilevel, document, entries, outcome, refused, start, succeed, write_digits};
use bilevel_tasks::checkpoint;
use bilevel_tasks::cleaning::CleaningCheckpoint;

/// Mini-batches and early stopping, which ends it before its last step.
const RUN: &str = "clean --train-rows 200 --trusted-rows 100 --steps 20 --batch 50 --trusted-batch 40 --outer-steps 400 --patience 20";
/// The same as above, for as long as one likes.
const ENDLESS: &str = "clean --train-rows 200 --trusted-rows 100 --steps 20 --outer-steps 1000000 --early-stopping off";

fn read_checkpoint(run: &Path) -> CleaningCheckpoint<'static> {
    checkpoint::read(&run.join("checkpoint")).unwrap()
}

fn history_lines(run: &Path) -> usize {
    fs::read_to_string(run.join("history.jsonl")).map_or(0, |text| text.lines().count())
}

/// Lets a run go on until this part of it is done, and a little further, and kills it (SIGKILL).
/// Before a tenth: some milliseconds after its start; then by its outer steps, `steps` in all; in
/// the last tenth: after them.
fn kill_at(moment: f64, process: &mut Child, run: &Path, steps: usize) {
    let share = (moment - 0.1) / 0.8;
    if share >= 0.0 {
        let lines = (share.min(1.0) * steps as f64) as usize;
        while history_lines(run) < lines && process.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(500));
        }
    }
    let further = (moment * 1000.0).fract();
    let most = if (0.1..0.9).contains(&moment) {
        0.01
    } else {
        0.1
    };
    sleep(Duration::from_secs_f64(further * most));
    // A process that has ended already is none to kill.
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Runs killed at moments spread over the whole run, some of them once more after they were
/// resumed, end as one in a piece. `BILEVEL_KILLED_RUNS=100` makes it 100 runs.
#[test]
fn killed_runs_end_as_one_in_a_piece() {
    let runs: u32 = std::env::var("BILEVEL_KILLED_RUNS").map_or(6, |runs| runs.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(here, &format!("{RUN} --quiet --out whole"));
    let whole = outcome(&here.join("whole"));
    let steps = whole.1.len();
    assert!(
        steps > 20 && steps < 400,
        "{steps} steps: early stopping was to end it"
    );

    let mut killed = [0; 4];
    for run in 0..runs {
        let out = format!("run-{run}");
        let path = here.join(&out);
        // Irrational steps: the moments never repeat, and lie everywhere.
        let moments = [0.618_034, 0.754_878].map(|step| (f64::from(run + 1) * step).fract());
        let kills = if run % 3 == 2 { 2 } else { 1 };
        let mut words = format!("{RUN} --quiet --out {out}");
        for moment in &moments[..kills] {
            let mut process = start(here, &words);
            kill_at(*moment, &mut process, &path, steps);
            let state = path.exists().then(|| read_checkpoint(&path));
            killed[match &state {
                None => 0,
                Some(state) if state.ended.is_none() => 1,
                Some(state) if state.results.is_none() => 2,
                Some(_) => 3,
            }] += 1;
            if state.is_some() {
                words = format!("resume {out} --quiet");
            }
        }
        succeed(here, &words);
        assert_eq!(outcome(&path), whole, "run {run}, killed at {moments:?}");
        assert_eq!(
            entries(&path),
            [
                "checkpoint",
                "config.toml",
                "history.jsonl",
                "report.html",
                "result.json",
                "review.csv",
                "scores.csv"
            ]
        );
    }
    let [before, learning, behind, ended] = killed;
    println!(
        "{runs} runs of {steps} outer steps killed: {before} times before the folder was there, {learning} in outer steps, {behind} behind them, {ended} when all was done"
    );
    assert!(learning > runs / 3, "{killed:?}");
}

/// A process that is killed before its folder appears leaves a hidden one; the next run beside it
/// removes it, and nothing else.
#[cfg(target_os = "linux")]
#[test]
fn hidden_folders_of_killed_runs_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut ended = Command::new("true").spawn().unwrap();
    let gone = ended.id();
    ended.wait().unwrap();
    let running = std::process::id();
    let make = |name: &str, files: &[&str]| {
        fs::create_dir(here.join(name)).unwrap();
        for file in files {
            fs::write(here.join(name).join(file), "").unwrap();
        }
    };
    make(
        &format!(".a.new-{gone}"),
        &["config.toml", ".checkpoint.new"],
    );
    make(&format!(".empty.new-{gone}"), &[]);
    let kept = [
        format!(".b.new-{running}"),
        format!(".c.new-{gone}"),
        ".d.new-x".to_owned(),
        format!("e.new-{gone}"),
    ];
    for name in &kept {
        let own: &[&str] = if name.starts_with(".c") {
            &["config.toml", "thesis.tex"]
        } else {
            &["config.toml"]
        };
        make(name, own);
    }
    succeed(
        here,
        &format!("{RUN} --outer-steps 1 --quiet --out out").replace(" --outer-steps 400", ""),
    );
    let mut expected = kept.to_vec();
    expected.push("out".to_owned());
    expected.sort();
    assert_eq!(entries(here), expected);
}

#[test]
fn the_folder_appears_with_its_first_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut process = start(folder.path(), &format!("{ENDLESS} --out out"));
    while !out.exists() {
        std::hint::spin_loop();
    }
    let found = entries(&out);
    let first = read_checkpoint(&out);
    process.kill().unwrap();
    process.wait().unwrap();
    for name in ["checkpoint", "config.toml", "history.jsonl"] {
        assert!(found.iter().any(|found| found == name), "{found:?}");
    }
    assert_eq!(first.ended, None);
    // Nothing else of it is left beside it.
    assert_eq!(entries(folder.path()), ["out"]);
}

#[test]
fn a_finished_run_is_printed_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ran = succeed(here, &format!("{RUN} --out out"));
    let before = outcome(&here.join("out"));
    assert_eq!(succeed(here, "resume out").stdout, ran.stdout);
    let again = succeed(here, "resume out --json");
    assert_eq!(
        again.stdout,
        fs::read_to_string(here.join("out/result.json")).unwrap()
    );
    assert_eq!(document(&again)["rows"], 200);
    assert!(again.stderr.contains("Judged by "));
    let quiet = succeed(here, "resume out --quiet");
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(outcome(&here.join("out")), before);
    // Files that are missing or damaged are made anew.
    let read = |name: &str| fs::read(here.join("out").join(name)).unwrap();
    let (scores, review, result) = (read("scores.csv"), read("review.csv"), read("result.json"));
    fs::remove_file(here.join("out/scores.csv")).unwrap();
    fs::write(here.join("out/review.csv"), "damaged").unwrap();
    let mended = succeed(here, "resume out");
    assert!(
        mended
            .stderr
            .contains("out/scores.csv is missing or damaged"),
        "{}",
        mended.stderr
    );
    assert_eq!(mended.stdout, ran.stdout);
    assert_eq!(
        (read("scores.csv"), read("review.csv"), read("result.json")),
        (scores, review, result)
    );
    let again = succeed(here, "resume out");
    assert!(
        again.stderr.contains("finished; its files are in out"),
        "{}",
        again.stderr
    );
}

/// From another folder, with other threads, twice limited.
#[test]
fn a_run_that_the_clock_stopped_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_digits(here, "images", "labels", 0, 300);
    let run = "clean --images images --labels labels --trusted-rows 100 --corrupt 0.3 --steps 20 --batch 50 --outer-steps 60 --patience 60 --quiet";
    succeed(here, &format!("{run} --out whole"));
    let ran = succeed(
        here,
        &format!("{run} --time-limit 0.05s --out parts").replace(" --quiet", ""),
    );
    assert!(
        ran.stdout.contains("the time limit was reached"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("resume parts\n"), "{}", ran.stdout);
    let steps = |run: &str| history_lines(&here.join(run));
    let first = steps("parts");
    assert!(first < 61, "{first}");

    // What was written after the checkpoint does not count.
    let path = here.join("parts/history.jsonl");
    let mut later = fs::read(&path).unwrap();
    later.extend(b"{\"step\":12345}\n".repeat(10_000));
    fs::write(&path, later).unwrap();

    // The limit of a resumed run begins anew: that of the run itself, or another.
    fs::create_dir(here.join("elsewhere")).unwrap();
    let elsewhere = here.join("elsewhere");
    let ran = succeed(&elsewhere, "resume ../parts --threads 1");
    let second = steps("parts");
    assert!(second > first || first > 50, "{first} {second}");
    assert!(second == 61 || ran.stdout.contains("resume ../parts\n"));
    succeed(
        &elsewhere,
        "resume ../parts --threads 3 --time-limit 1h --quiet",
    );
    assert_eq!(steps("parts"), 61);
    assert_eq!(outcome(&here.join("parts")), outcome(&here.join("whole")));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_a_checkpoint_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let process = Command::new(env!("CARGO_BIN_EXE_bilevel"))
        .args(ENDLESS.split_whitespace())
        .args(["--out", "out"])
        .current_dir(here)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = here.join("out");
    let begin = Instant::now();
    while history_lines(&out) < 3 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing happens");
        sleep(Duration::from_millis(1));
    }
    // While it runs, it is nobody else's.
    refused(here, "resume out", "another process is working on this run");
    let interrupt = |id: u32| {
        let kill = Command::new("kill")
            .args(["-INT", &id.to_string()])
            .status();
        assert!(kill.unwrap().success());
    };
    interrupt(process.id());
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.contains("error: interrupted; to continue: "), "{said}");
    assert!(said.trim_end().ends_with("resume out"), "{said}");
    assert_eq!(
        entries(&out),
        ["checkpoint", "config.toml", "history.jsonl"]
    );
    // Nothing of what was done is lost.
    let history = fs::read_to_string(out.join("history.jsonl")).unwrap();
    let stopped = read_checkpoint(&out);
    assert_eq!(stopped.history_bytes, history.len() as u64);
    assert_eq!(stopped.progress.observed, history.lines().count());

    succeed(here, "resume out --time-limit 0.05s --quiet");
    let longer = fs::read_to_string(out.join("history.jsonl")).unwrap();
    assert!(longer.starts_with(&history));
    for (step, line) in longer.lines().enumerate() {
        assert!(line.starts_with(&format!("{{\"step\":{step},")), "{line}");
    }
}

/// What is no checkpoint of this run is refused with the reason, and nothing is touched.
#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_digits(here, "images", "labels", 0, 300);
    succeed(
        here,
        "clean --images images --labels labels --trusted-rows 100 --steps 20 --outer-steps 100000 --early-stopping off --time-limit 1s --quiet --out out",
    );
    let out = here.join("out");
    let (path, config, history) = (
        out.join("checkpoint"),
        out.join("config.toml"),
        out.join("history.jsonl"),
    );
    let (good, settings, lines) = (
        fs::read(&path).unwrap(),
        fs::read(&config).unwrap(),
        fs::read(&history).unwrap(),
    );
    let refuse = |part: &str| {
        let before: Vec<_> = entries(&out)
            .iter()
            .map(|name| fs::read(out.join(name)).unwrap())
            .collect();
        refused(here, "resume out", part);
        let after: Vec<_> = entries(&out)
            .iter()
            .map(|name| fs::read(out.join(name)).unwrap())
            .collect();
        assert!(before == after, "{part}");
        fs::write(&path, &good).unwrap();
        fs::write(&config, &settings).unwrap();
        fs::write(&history, &lines).unwrap();
    };

    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&path, &damaged).unwrap();
    refuse("out/checkpoint: expected the checksum");
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    refuse("the checkpoint is damaged");
    fs::write(&path, "").unwrap();
    refuse("expected a checkpoint, which starts with");
    fs::write(&path, &settings).unwrap();
    refuse("expected a checkpoint, which starts with");
    let mut newer = good.clone();
    newer[8] += 1;
    fs::write(&path, &newer).unwrap();
    refuse("found version 6, which bilevel 0.1.0 wrote: continue with that program");
    let mut older = good.clone();
    older[8] = 2;
    fs::write(&path, &older).unwrap();
    refuse("found version 2, which an earlier program wrote");
    fs::write(&path, checkpoint::encode(&"something else").unwrap()).unwrap();
    refuse("expected the state of a run of this program");

    let change = |change: &dyn Fn(&mut CleaningCheckpoint<'_>)| {
        let mut changed = read_checkpoint(&out);
        change(&mut changed);
        checkpoint::write(&path, &changed).unwrap();
    };
    change(&|checkpoint| {
        checkpoint.origin.to_mut().instruction_set = "x86_64+avx1024".to_owned();
    });
    refuse("expected a processor with the instructions x86_64+avx1024");
    change(&|checkpoint| checkpoint.origin.to_mut().program = "0.0.7".to_owned());
    refuse("expected version 0.0.7");
    change(&|checkpoint| checkpoint.run.to_mut().x.truncate(5));
    refuse("x has 5 numbers, expected 200");
    change(&|checkpoint| checkpoint.run.to_mut().optimizer.truncate(5));
    refuse("the state of the optimizer has 5 numbers, expected 400");
    change(&|checkpoint| {
        checkpoint
            .progress
            .to_mut()
            .kept
            .as_mut()
            .unwrap()
            .y
            .truncate(5);
    });
    refuse("the kept y has 5 numbers");
    // Other settings, in the checkpoint, in the file, or in both: where a program takes them otherwise, it is
    // not the one that began the run.
    let text = String::from_utf8(settings.clone()).unwrap();
    let set = |specification: &str| {
        change(&|checkpoint| {
            checkpoint.origin.to_mut().specification = specification.to_owned();
        });
    };
    set(&text.replace("steps = 20", "steps = 21"));
    refuse("out/config.toml: expected the settings that the run began with");
    for (from, to, part) in [
        (
            "adjoint = \"reverse\"\n",
            "",
            "this program interprets method.adjoint differently",
        ),
        (
            "steps = 20",
            "stepz = 20",
            "unknown key \"stepz\" in [method]",
        ),
        (
            "job = \"clean\"",
            "job = \"bake\"",
            "out/config.toml: line 2",
        ),
    ] {
        let other = text.replace(from, to);
        assert_ne!(other, text);
        set(&other);
        fs::write(&config, &other).unwrap();
        refuse(part);
    }

    fs::write(&config, text.replace("steps = 20", "steps = 30")).unwrap();
    refuse("out/config.toml: expected the settings that the run began with");
    fs::write(&history, "").unwrap();
    refuse("history.jsonl: expected the");
    fs::remove_file(&history).unwrap();
    refuse("history.jsonl cannot be opened");
    let labels = fs::read(here.join("labels")).unwrap();
    let mut other = labels.clone();
    other[8 + 7] = (other[8 + 7] + 1) % 10;
    fs::write(here.join("labels"), &other).unwrap();
    refuse("expected the data that the run began with");
    fs::write(here.join("labels"), &labels).unwrap();

    fs::create_dir(here.join("empty")).unwrap();
    refused(here, "resume empty", "found no file checkpoint in it");
    refused(here, "resume nowhere", "expected the folder of a run");
    refused(here, "resume", "DIR");
    refused(here, "resume out --seed 3", "--seed");

    // All of it was put back: this is a run again, also on another processor if one insists.
    change(&|checkpoint| {
        checkpoint.origin.to_mut().instruction_set = "x86_64+avx1024".to_owned();
    });
    succeed(
        here,
        "resume out --allow-different-bits --time-limit 0.01s --quiet",
    );
}

/// A disk that fills up: the run ends with a message, the checkpoint stays, and with room
/// again it ends as it would have. Needs the right to mount; skipped without.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_a_checkpoint_held() {
    struct Disk(std::path::PathBuf);
    impl Disk {
        fn mount(path: &Path, options: &str) -> bool {
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", options, "tmpfs"])
                .arg(path)
                .stderr(std::process::Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        }
    }
    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(here, &format!("{RUN} --quiet --out whole"));
    let whole = outcome(&here.join("whole"));
    let (mut refused, mut failed) = (0, 0);
    for kilobytes in [4, 16, 28, 40, 52, 64] {
        let disk = here.join("disk");
        fs::create_dir_all(&disk).unwrap();
        if !Disk::mount(&disk, &format!("size={kilobytes}k")) {
            println!("skipped: a small file system cannot be mounted here");
            return;
        }
        let _mounted = Disk(disk.clone());
        let ran = bilevel(here, &format!("{RUN} --quiet --out disk/out"));
        match ran.code {
            0 => {}
            1 => {
                failed += 1;
                assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
                assert!(ran.stderr.contains("resume disk/out"), "{}", ran.stderr);
                let before = read_checkpoint(&disk.join("out"));
                // Still no room: no further, and no worse.
                let again = bilevel(here, "resume disk/out --quiet");
                assert_eq!(again.code, 1, "{}", again.stderr);
                let after = read_checkpoint(&disk.join("out"));
                assert!(after.progress.observed >= before.progress.observed);
            }
            code => {
                refused += 1;
                assert_eq!(code, 2, "{}", ran.stderr);
                assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
                assert!(entries(&disk).is_empty(), "{:?}", entries(&disk));
                continue;
            }
        }
        assert!(Disk::mount(&disk, "remount,size=10m"));
        succeed(here, "resume disk/out --quiet");
        assert_eq!(outcome(&disk.join("out")), whole, "{kilobytes} kB");
    }
    println!("refused {refused} times, failed {failed} times");
    assert!(refused > 0 && failed > 2, "{refused} {failed}");
}

/// What a checkpoint is made of is what was written, through [`Cow`] or not.
#[test]
fn a_checkpoint_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &format!("{RUN} --quiet --out out"));
    let read = read_checkpoint(&folder.path().join("out"));
    let bytes = checkpoint::encode(&CleaningCheckpoint {
        origin: Cow::Borrowed(&*read.origin),
        ..read.clone()
    });
    assert_eq!(
        bytes.unwrap(),
        fs::read(folder.path().join("out/checkpoint")).unwrap()
    );
    assert_eq!(read.run.x.len(), 200);
    assert_eq!(read.progress.kept.as_ref().unwrap().x.len(), 200);
}
