//! The shape of pictures.

use std::str::FromStr;

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

/// The largest height, width and number of channels.
const LARGEST: usize = 10_000;

impl FromStr for ImageShape {
    type Err = bilevel::Error;

    /// Height x width, or height x width x channels.
    fn from_str(text: &str) -> bilevel::Result<Self> {
        let lengths: Option<Vec<usize>> = text
            .split('x')
            .map(|length| length.parse().ok())
            .map(|length| length.filter(|length| (1..=LARGEST).contains(length)))
            .collect();
        match lengths.as_deref() {
            Some(&[height, width]) => Ok(Self::grey(height, width)),
            Some(&[height, width, channels]) => Ok(Self {
                height,
                width,
                channels,
            }),
            _ => Err(bilevel::text::expected(
                "height, width and channels of pictures, such as 28x28 or 32x32x3",
                text,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read() {
        let of = |text: &str| text.parse::<ImageShape>();
        assert_eq!(of("28x32").unwrap(), ImageShape::grey(28, 32));
        assert_eq!(of("32x32x3").unwrap().pixels(), 3072);
        for wrong in ["", "28", "0x4", "4x4x4x4", "ax4", "20000x1"] {
            of(wrong).unwrap_err();
        }
    }
}
