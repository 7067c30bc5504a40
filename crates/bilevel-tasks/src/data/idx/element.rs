//! The element types of IDX files.

use std::fmt;

/// With more classes than this, the file is assumed not to hold labels.
pub const MAXIMUM_CLASSES: usize = 65_536;

/// The type of the elements of an IDX file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElementType {
    /// Unsigned bytes, type 0x08.
    U8,
    /// Signed bytes, type 0x09.
    I8,
    /// 16-bit integers, type 0x0b.
    I16,
    /// 32-bit integers, type 0x0c.
    I32,
    /// 32-bit floating-point numbers, type 0x0d.
    F32,
    /// 64-bit floating-point numbers, type 0x0e.
    F64,
}

impl ElementType {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0b => Self::I16,
            0x0c => Self::I32,
            0x0d => Self::F32,
            0x0e => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "unsigned bytes",
            Self::I8 => "signed bytes",
            Self::I16 => "16-bit integers",
            Self::I32 => "32-bit integers",
            Self::F32 => "32-bit floating-point numbers",
            Self::F64 => "64-bit floating-point numbers",
        })
    }
}
