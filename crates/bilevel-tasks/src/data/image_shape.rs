//! The shape of pictures.

use serde::{Deserialize, Serialize};

/// Height and width of the image that a row holds, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImageShape {
    /// Number of pixel rows.
    pub height: usize,
    /// Number of pixels in a pixel row.
    pub width: usize,
    /// Numbers of a pixel, which follow each other: 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl ImageShape {
    /// Of a picture in shades of grey.
    #[must_use]
    pub fn grey(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            channels: 1,
        }
    }

    /// Numbers of a picture.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.height
            .saturating_mul(self.width)
            .saturating_mul(self.channels)
    }
}
