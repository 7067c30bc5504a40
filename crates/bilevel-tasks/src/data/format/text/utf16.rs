//! Text in UTF-16, as Excel saves it, made UTF-8.

use std::io::{self, Read};

use crate::data::source::Source;

/// Whether a text is UTF-16: it has a byte order mark.
pub(super) fn is(start: &[u8]) -> bool {
    start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff")
}

/// The same text in UTF-8, if it is UTF-16.
pub(super) fn decoded(source: Source) -> io::Result<Source> {
    if !is(source.start()) {
        return Ok(source);
    }
    let big = source.start().starts_with(b"\xfe\xff");
    let mut reader = source.into_reader();
    io::copy(&mut reader.by_ref().take(2), &mut io::sink())?;
    Source::of(Decoder {
        reader,
        big,
        bytes: Vec::new(),
        text: Vec::new(),
        given: 0,
    })
}

struct Decoder<R> {
    reader: R,
    big: bool,
    /// Bytes that are not decoded yet.
    bytes: Vec<u8>,
    text: Vec<u8>,
    given: usize,
}

impl<R: Read> Decoder<R> {
    /// Decodes the next piece; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        const PIECE: u64 = 1 << 16;
        self.text.clear();
        self.given = 0;
        let read = self
            .reader
            .by_ref()
            .take(PIECE)
            .read_to_end(&mut self.bytes)?;
        if read == 0 {
            // Half a character at the end.
            if !self.bytes.is_empty() {
                self.bytes.clear();
                self.text.extend("\u{fffd}".bytes());
            }
            return Ok(!self.text.is_empty());
        }
        let big = self.big;
        let unit = move |pair: &[u8; 2]| {
            if big {
                u16::from_be_bytes(*pair)
            } else {
                u16::from_le_bytes(*pair)
            }
        };
        let (pairs, _) = self.bytes.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(unit).collect();
        // The first half of a pair waits for the second.
        if units
            .last()
            .is_some_and(|last| (0xd800..0xdc00).contains(last))
        {
            units.pop();
        }
        let text: String = char::decode_utf16(units.iter().copied())
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.text.extend(text.bytes());
        self.bytes.drain(..2 * units.len());
        Ok(true)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            if !self.more()? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.text.len() - self.given);
        buffer[..length].copy_from_slice(&self.text[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_become_the_same_text() {
        let text = "a,größe,𝄞\n".repeat(9000);
        for big in [false, true] {
            let unit = |u: u16| {
                if big {
                    u.to_be_bytes()
                } else {
                    u.to_le_bytes()
                }
            };
            let mut bytes = unit(0xfeff).to_vec();
            bytes.extend(text.encode_utf16().flat_map(unit));
            let source = Source::of(io::Cursor::new(bytes)).unwrap();
            let decoded = decoded(source).unwrap().into_bytes().unwrap();
            assert_eq!(String::from_utf8(decoded).unwrap(), text);
        }
    }
}
