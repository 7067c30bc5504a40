//! Text, record by record: RFC 4180, read forgivingly. Blanks around cells and before quotes do not count, empty lines
//! are passed over, and in text that is separated by tabs a quote that is not closed in its line is a character like
//! any other.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use crate::data::problem::TableProblem;

/// How cells are separated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Form {
    /// A blank stands for any number of blanks and tabs.
    pub(super) separator: u8,
    /// The character that ends a line, to count lines.
    pub(super) newline: u8,
}

/// The cells of a text, record by record.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    form: Form,
    at: usize,
    line: u64,
    /// Whether the record just read ended with its line, not with the text.
    complete: bool,
    cells: Vec<Range>,
    /// Where each cell begins and ends, with its quotes.
    spans: Vec<(usize, usize)>,
    /// The contents of cells with quotes in quotes.
    unescaped: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Range {
    unescaped: bool,
    start: usize,
    end: usize,
}

impl<'a> Records<'a> {
    /// The text begins at the beginning of a record in this line.
    pub(super) fn new(bytes: &'a [u8], form: Form, line: u64) -> Self {
        Self {
            bytes,
            form,
            at: 0,
            line,
            complete: false,
            cells: Vec::new(),
            spans: Vec::new(),
            unescaped: Vec::new(),
        }
    }

    /// Reads the next record: the line where it begins; None behind the last.
    ///
    /// # Errors
    /// Quotes that are not closed, or text behind a closing quote.
    pub(super) fn next(&mut self) -> Result<Option<u64>, TableProblem> {
        self.cells.clear();
        self.spans.clear();
        self.unescaped.clear();
        self.complete = false;
        if !self.skip_empty_lines() {
            return Ok(None);
        }
        let line = self.line;
        loop {
            self.skip_blanks();
            let start = self.at;
            let end = match self.bytes.get(start) {
                Some(b'"') => match self.quoted()? {
                    Some(end) => end,
                    None => self.plain(),
                },
                _ => self.plain(),
            };
            self.at = end;
            self.spans.push((start, end));
            match self.bytes.get(end) {
                None => break,
                Some(b'\r' | b'\n') => {
                    self.end_line();
                    self.complete = true;
                    break;
                }
                Some(_) => {
                    self.at += 1;
                    if self.form.separator == b' ' {
                        self.skip_blanks();
                        // Blanks behind the last cell separate nothing.
                        if matches!(self.bytes.get(self.at), None | Some(b'\r' | b'\n')) {
                            if self.at < self.bytes.len() {
                                self.end_line();
                                self.complete = true;
                            }
                            break;
                        }
                    }
                }
            }
        }
        Ok(Some(line))
    }

    /// Passes over a record without quotes that somebody else has read, up to the end of its last cell.
    pub(super) fn pass(&mut self, end: usize) {
        self.at = end;
        if self.at < self.bytes.len() {
            self.end_line();
        }
    }

    /// The number of cells of the record just read.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Where each of its cells begins and ends, with quotes, and with blanks behind it.
    pub(super) fn spans(&self) -> &[(usize, usize)] {
        &self.spans
    }

    /// Its cells, without blanks around them.
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.iter().map(|range| {
            let bytes = if range.unescaped {
                &self.unescaped
            } else {
                self.bytes
            };
            &bytes[range.start..range.end]
        })
    }

    /// The same as texts, where that is known: `whole` is the text that is read, if it is UTF-8.
    pub(super) fn texts<'t>(
        &'t self,
        whole: Option<&'t str>,
    ) -> impl Iterator<Item = Result<&'t str, &'t [u8]>> {
        self.cells.iter().map(move |range| {
            let inside = if range.unescaped {
                None
            } else {
                whole.and_then(|whole| whole.get(range.start..range.end))
            };
            match inside {
                Some(text) => Ok(text),
                None => {
                    let bytes = if range.unescaped {
                        &self.unescaped
                    } else {
                        self.bytes
                    };
                    let cell = &bytes[range.start..range.end];
                    std::str::from_utf8(cell).map_err(|_| cell)
                }
            }
        })
    }

    /// Whether the record just read ended with its line.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The line where the next record begins, or an empty line before it.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    fn is_blank(&self, byte: u8) -> bool {
        byte == b' ' || (byte == b'\t' && self.form.separator != b'\t')
    }

    fn skip_blanks(&mut self) {
        while self
            .bytes
            .get(self.at)
            .is_some_and(|&byte| self.is_blank(byte))
        {
            self.at += 1;
        }
    }

    /// Whether there is anything else.
    fn skip_empty_lines(&mut self) -> bool {
        loop {
            let start = self.at;
            self.skip_blanks();
            match self.bytes.get(self.at) {
                None => return false,
                Some(b'\r' | b'\n') => self.end_line(),
                Some(_) => {
                    self.at = start;
                    return true;
                }
            }
        }
    }

    /// Passes over one line end: LF, CR or CRLF.
    fn end_line(&mut self) {
        let crlf = self.bytes[self.at..].starts_with(b"\r\n");
        self.line += u64::from(crlf || self.bytes[self.at] == self.form.newline);
        self.at += if crlf { 2 } else { 1 };
    }

    /// A cell without quotes; returns its end.
    fn plain(&mut self) -> usize {
        let rest = &self.bytes[self.at..];
        let length = if self.form.separator == b' ' {
            let end = memchr3(b' ', b'\n', b'\r', rest).unwrap_or(rest.len());
            memchr(b'\t', &rest[..end]).unwrap_or(end)
        } else {
            memchr3(self.form.separator, b'\n', b'\r', rest).unwrap_or(rest.len())
        };
        let end = self.at + length;
        self.push(false, self.at, end);
        end
    }

    fn push(&mut self, unescaped: bool, start: usize, mut end: usize) {
        let bytes = if unescaped {
            &self.unescaped
        } else {
            self.bytes
        };
        while end > start && matches!(bytes[end - 1], b' ' | b'\t') {
            end -= 1;
        }
        self.cells.push(Range {
            unescaped,
            start,
            end,
        });
    }

    /// A cell in quotes; returns its end, or None if the quote is a character like any other.
    fn quoted(&mut self) -> Result<Option<usize>, TableProblem> {
        let lenient = self.form.separator == b'\t';
        let open = self.at;
        let (mut segment, mut from) = (open + 1, open + 1);
        let unescaped = self.unescaped.len();
        let close = loop {
            let Some(found) = memchr(b'"', &self.bytes[from..]) else {
                self.unescaped.truncate(unescaped);
                return if lenient {
                    Ok(None)
                } else {
                    Err(TableProblem::UnclosedQuote { line: self.line })
                };
            };
            let quote = from + found;
            if self.bytes.get(quote + 1) != Some(&b'"') {
                break quote;
            }
            self.unescaped
                .extend_from_slice(&self.bytes[segment..=quote]);
            segment = quote + 2;
            from = segment;
        };
        let content = &self.bytes[open + 1..close];
        let mut end = close + 1;
        while self.bytes.get(end).is_some_and(|&byte| self.is_blank(byte))
            && self.form.separator != b' '
        {
            end += 1;
        }
        let ends = match self.bytes.get(end) {
            None | Some(b'\r' | b'\n') => true,
            Some(&byte) => {
                byte == self.form.separator || (self.form.separator == b' ' && byte == b'\t')
            }
        };
        let lines = memchr_iter(self.form.newline, content).count() as u64;
        if !ends || (lenient && memchr2(b'\n', b'\r', content).is_some()) {
            self.unescaped.truncate(unescaped);
            if lenient {
                return Ok(None);
            }
            let rest = &self.bytes[end..self.bytes.len().min(end + 4)];
            let found = String::from_utf8_lossy(rest).chars().next();
            return Err(TableProblem::BehindQuote {
                line: self.line + lines,
                opened: self.line,
                found: found.unwrap_or_default(),
            });
        }
        self.line += lines;
        if segment == open + 1 {
            let (mut start, end) = (open + 1, close);
            while start < end && matches!(self.bytes[start], b' ' | b'\t') {
                start += 1;
            }
            self.push(false, start, end);
        } else {
            self.unescaped
                .extend_from_slice(&self.bytes[segment..close]);
            self.push(true, unescaped, self.unescaped.len());
        }
        Ok(Some(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, separator: u8) -> Result<Vec<(u64, Vec<String>)>, TableProblem> {
        let form = Form {
            separator,
            newline: b'\n',
        };
        let mut records = Records::new(text.as_bytes(), form, 1);
        let mut all = Vec::new();
        while let Some(line) = records.next()? {
            let cells = records
                .cells()
                .map(|cell| String::from_utf8_lossy(cell).into_owned());
            all.push((line, cells.collect()));
        }
        Ok(all)
    }

    fn cells(text: &str, separator: u8) -> Vec<Vec<String>> {
        all(text, separator)
            .unwrap()
            .into_iter()
            .map(|(_, cells)| cells)
            .collect()
    }

    #[test]
    fn records_of_every_form() {
        assert_eq!(
            cells("a,b\r\n1, 2 \n\n,\n", b','),
            [["a", "b"], ["1", "2"], ["", ""]]
        );
        assert_eq!(cells("a\r1\r", b','), [["a"], ["1"]]);
        assert_eq!(
            cells("\"a\", \"b\" ,\"c,\nd\"", b','),
            [["a", "b", "c,\nd"]]
        );
        assert_eq!(cells("\"a \"\"b\"\"\",\" c \"\n", b','), [["a \"b\"", "c"]]);
        assert_eq!(cells("a,\n", b','), [["a", ""]]);
        assert_eq!(
            cells("  a  b\tc \n 1 2 3", b' '),
            [["a", "b", "c"], ["1", "2", "3"]]
        );
        assert_eq!(
            cells("a\t\"b\n\"c\"\td\"e\n", b'\t'),
            [["a", "\"b"], ["c", "d\"e"]]
        );
        assert_eq!(cells("a;\"b;c\"\n   \n", b';'), [["a", "b;c"]]);
        let lines: Vec<u64> = all("a\n\n\"b\nc\"\nd\n", b',')
            .unwrap()
            .iter()
            .map(|r| r.0)
            .collect();
        assert_eq!(lines, [1, 3, 5]);
    }

    #[test]
    fn quotes_that_do_not_close_are_named() {
        let problem = |text| all(text, b',').unwrap_err().to_string();
        assert!(problem("a\n\"b\n").starts_with("line 2: expected the quote that opens here"));
        assert!(problem("a\n\"b\"c\n").contains("found 'c'"));
    }
}
