//! How functions are compiled.

use crate::runtime::{Device, Passes};

/// How a function is compiled. Use the defaults; other values are for comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The device that its programs are compiled for.
    pub device: Device,
    /// The passes of its programs.
    pub passes: Passes,
    /// Whether work that depends only on x is done once for each x.
    pub staged: bool,
    /// Whether products leave out columns of the data that are zero in every row. (0·y is then 0 for an infinite y
    /// too.)
    pub columns: bool,
    /// Whether products with data on all rows leave out most zeros of matrices with many zeros. (0·y as above.)
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
