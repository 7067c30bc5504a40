//! Ctrl-C. Other signals end the program as usual; the checkpoint remains.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;
use crate::progress::line;

/// The exit code of an interrupted run, as in shells: 128 plus the number of SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicBool = AtomicBool::new(false);

/// From now on, the first Ctrl-C lets the current step end, if [`wait_for_step`] says that there is
/// one; any other Ctrl-C ends the program at once and prints `advice` on how to continue.
pub(crate) fn handle(quiet: bool, advice: String) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        if REQUESTED.swap(true, Ordering::SeqCst) || !WAITING.load(Ordering::SeqCst) {
            line(&format!("error: interrupted; {advice}"));
            std::process::exit(i32::from(EXIT_CODE));
        }
        if !quiet {
            line("interrupted: waiting for the current outer step (Ctrl-C again ends at once and loses this step)");
        }
    })
    .map_err(Failure::run)
}

/// Sets whether a Ctrl-C waits for the current step.
pub(crate) fn wait_for_step(wait: bool) {
    WAITING.store(wait, Ordering::SeqCst);
}

/// Whether the user asked the run to end.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
