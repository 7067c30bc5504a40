//! Images inside a page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bilevel_tasks::data::ImageShape;

use crate::failure::Failure;

/// A picture, 0 black and 1 white or full colour, as a PNG file in a data URI.
pub(crate) fn data_uri(pixels: &[f32], shape: ImageShape) -> Result<String, Failure> {
    let side = |length: usize| u32::try_from(length).map_err(Failure::run);
    let grey: Vec<u8> = pixels
        .iter()
        .map(|pixel| (pixel.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side(shape.width)?, side(shape.height)?);
    encoder.set_color(if shape.channels == 3 {
        png::ColorType::Rgb
    } else {
        png::ColorType::Grayscale
    });
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&grey))
        .map_err(Failure::run)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_back() {
        let shape = ImageShape::grey(2, 3);
        let uri = data_uri(&[0.0, 0.2, 1.0, 7.0, -1.0, 0.5], shape).unwrap();
        let file = STANDARD
            .decode(uri.strip_prefix("data:image/png;base64,").unwrap())
            .unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(file));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = [0; 6];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (3, 2));
        assert_eq!(pixels, [0, 51, 255, 255, 0, 128]);
    }
}
