//! Ctrl-C. Other signals end the program as they do any: the checkpoint is there.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::Failure;
use crate::progress::line;

/// The exit code of a run that was interrupted, as shells have it: 128 and the number of SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static WAITING: AtomicBool = AtomicBool::new(false);

/// From now on, a first Ctrl-C lets a step under way end, where [`wait_for_step`] says that there
/// is one; any other ends the program at once, with `advice` how to go on.
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

/// Whether a Ctrl-C waits for the step under way.
pub(crate) fn wait_for_step(wait: bool) {
    WAITING.store(wait, Ordering::SeqCst);
}

/// Whether somebody asked to end.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
