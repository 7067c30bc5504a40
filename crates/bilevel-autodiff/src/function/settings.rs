//! How functions are compiled.

use crate::runtime::{Device, Passes};

/// How a function is compiled; the defaults are for use, the rest for comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What its programs are compiled for.
    pub device: Device,
    /// The passes of its programs.
    pub passes: Passes,
    /// Whether work on x alone is done once for each x.
    pub staged: bool,
    /// Whether products leave out columns of the data that are zero in every row. (0·y is 0 then, for an
    /// infinite y too.)
    pub columns: bool,
    /// Whether products with data on all rows leave out most of the zeros of matrices with many. (As above.)
    pub sparse: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            device: Device::default(),
            passes: Passes::default(),
            staged: true,
            columns: true,
            sparse: true,
        }
    }
}
