//! Texts of the data, which may be of any length.

/// The length up to which a text of the data is shown whole.
pub(super) const LONGEST: usize = 80;

/// A text of the data, cut after `longest` characters.
pub(super) fn short(text: &str, longest: usize) -> String {
    let mut cut: String = text.chars().take(longest).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
