//! Texts of the data, which may be of any length.

/// The longest text of the data that is shown whole.
pub(super) const LONGEST: usize = 80;

/// A text of the data, cut where it is endless.
pub(super) fn short(text: &str, longest: usize) -> String {
    let mut cut: String = text.chars().take(longest).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
