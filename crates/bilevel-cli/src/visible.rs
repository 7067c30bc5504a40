//! Texts of the data on a screen: they may hold anything and be of any length. Files for machines keep them as they
//! are.

use std::borrow::Cow;

/// The length up to which a text of the data is shown whole in the report.
pub(crate) const LONGEST: usize = 80;
/// The same in a table on the terminal.
pub(crate) const LONGEST_CELL: usize = 40;

/// A text of the data on one line, cut after `longest` characters: what would move the cursor, or turn or hide other
/// text, is written as an escape.
pub(crate) fn short(text: &str, longest: usize) -> String {
    let mut short = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == longest {
            short.push('…');
            break;
        }
        if acts(c) {
            short.extend(c.escape_default());
        } else {
            short.push(c);
        }
    }
    short
}

/// Several lines, without anything else that would act on a terminal.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let unsafe_here = |c: char| c != '\n' && acts(c);
    if !text.contains(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if unsafe_here(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// Whether a character acts on the text around it: control characters, line and paragraph separators, marks of
/// direction, and characters without width.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_data_acts_on_the_screen() {
        assert_eq!(
            short("a\nb\t\u{1b}[31m\u{202e}c", 80),
            "a\\nb\\t\\u{1b}[31m\\u{202e}c"
        );
        assert_eq!(short("größe", 80), "größe");
        assert_eq!(short("abcdef", 3), "abc…");
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(lines("a\nb"), "a\nb");
        assert_eq!(lines("a\nb\u{1b}[0m\r"), "a\nb\\u{1b}[0m\\r");
    }
}
