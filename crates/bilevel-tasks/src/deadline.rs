//! The end of the time that a job may take.

use std::time::{Duration, Instant};

use crate::Error;

/// When a job is to end; never, by default.
///
/// ```
/// use std::time::Duration;
/// use bilevel_tasks::Deadline;
/// assert!(!Deadline::default().passed());
/// let over = Deadline::within(Some(Duration::ZERO));
/// assert!(over.passed() && over.expect_left().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; never without a limit, or beyond what the clock counts.
    #[must_use]
    pub fn within(limit: Option<Duration>) -> Self {
        Self(limit.and_then(|limit| Instant::now().checked_add(limit)))
    }

    /// Whether it is over.
    #[must_use]
    pub fn passed(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// The time that is left, if it ends.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        self.0
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// The end of a share of the time that is left; never, if this never ends.
    #[must_use]
    pub fn part(self, share: f64) -> Self {
        self.left()
            .map_or(self, |left| Self::within(Some(left.mul_f64(share))))
    }

    /// Fails if it is over.
    ///
    /// # Errors
    /// [`Error::OutOfTime`].
    pub fn expect_left(self) -> Result<(), Error> {
        if self.passed() {
            Err(Error::OutOfTime)
        } else {
            Ok(())
        }
    }
}
