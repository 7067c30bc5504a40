//! Single pictures: PNG and JPEG.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, imageops::FilterType};

use crate::data::malformed::Malformed;

/// The largest value of a channel.
pub(crate) const FULL: f32 = 255.0;

const JPEG: &[u8] = b"\xff\xd8\xff";
const JPEG_END: &[u8] = b"\xff\xd9";
/// Programs append a few bytes of their own.
const NEAR_THE_END: usize = 4096;

/// Decoded pixels, row by row; the channels of a pixel together.
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Whether a file is a picture, by the end of its name.
pub(crate) fn is_picture(name: &str) -> bool {
    let ending = Path::new(name).extension().unwrap_or_default();
    ["png", "jpg", "jpeg"]
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known))
}

/// Pixels of any picture, whatever its length.
const FEW_PIXELS: u64 = 1 << 16;
/// The most pixels in a byte: a byte of a PNG unpacks to 1 032 at most, of eight pixels each if they are black or white. A
/// JPEG has fewer.
const MOST_PIXELS: u64 = 8 * 1032;

impl Pixels {
    /// The picture in these bytes, turned as its EXIF orientation says, resized to `size`, height and width.
    pub(crate) fn decode(bytes: &[u8], size: Option<(u32, u32)>) -> Result<Self, Malformed> {
        let wrong = |found: String| {
            Malformed::new("a PNG or JPEG picture", found)
                .remedy("mend it or move it out of the folder")
        };
        if bytes.starts_with(JPEG) {
            // The decoder fills in what is missing.
            let end = &bytes[bytes.len().saturating_sub(NEAR_THE_END)..];
            if !end.windows(JPEG_END.len()).any(|window| window == JPEG_END) {
                return Err(wrong("a JPEG picture that is cut short".to_owned()));
            }
        }
        let length = bytes.len() as u64;
        let open = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
        let dimensions = open().map(ImageReader::into_dimensions);
        let (width, height) = dimensions
            .map_err(|error| wrong(error.to_string()))?
            .map_err(|error| wrong(error.to_string()))?;
        // Before memory is asked for them.
        if u64::from(width) * u64::from(height) > FEW_PIXELS + length * MOST_PIXELS {
            return Err(wrong(format!(
                "{width}×{height} pixels in {length} bytes, more than they can hold"
            )));
        }
        let decode = || {
            let mut decoder = open()?.into_decoder()?;
            let orientation = decoder.orientation()?;
            let mut image = DynamicImage::from_decoder(decoder)?;
            image.apply_orientation(orientation);
            Ok::<_, image::ImageError>(image)
        };
        let mut image = decode().map_err(|error| wrong(error.to_string()))?;
        if let Some((height, width)) = size {
            image = image.resize_exact(width, height, FilterType::Triangle);
        }
        let (width, height) = (image.width(), image.height());
        let colour = image.color().has_color();
        let (channels, bytes) = if colour {
            (3, image.into_rgb8().into_raw())
        } else {
            (1, DynamicImage::into_luma8(image).into_raw())
        };
        Ok(Self {
            width,
            height,
            channels,
            bytes,
        })
    }

    /// With one channel or three; others are left as they are.
    pub(crate) fn with_channels(self, channels: usize) -> Self {
        let bytes = match (self.channels, channels) {
            (1, 3) => self.bytes.iter().flat_map(|&grey| [grey; 3]).collect(),
            (3, 1) => {
                let (pixels, _) = self.bytes.as_chunks::<3>();
                // The luminance of ITU-R BT.709, as the decoder takes it.
                let grey = |&[r, g, b]: &[u8; 3]| {
                    (0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b)).round()
                        as u8
                };
                pixels.iter().map(grey).collect()
            }
            _ => return self,
        };
        Self {
            channels,
            bytes,
            ..self
        }
    }
}
