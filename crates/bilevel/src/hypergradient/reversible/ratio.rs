//! A fraction that is kept exactly.

/// A fraction below 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio {
    /// n.
    pub numerator: u32,
    /// d.
    pub denominator: u32,
}

impl Ratio {
    /// n/d.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.numerator, self.denominator)
    }
}
