//! Calls of readers that may panic on damaged files.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught and told as an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// The result of `read`, or None if it panicked; nothing is printed then.
///
/// Libraries that read columnar files check less than they rely on: an offset in a damaged file may lead behind the
/// end of a buffer, which ends in a panic. For a person this is a damaged file as any other.
pub(super) fn guarded<R>(read: impl FnOnce() -> R) -> Option<R> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !CAUGHT.get() {
                before(information);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(read));
    CAUGHT.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none() {
        assert_eq!(guarded(|| 1), Some(1));
        let empty: Vec<i32> = Vec::new();
        let index = empty.len();
        assert_eq!(guarded(|| empty[index]), None);
        assert!(!CAUGHT.get());
    }
}
