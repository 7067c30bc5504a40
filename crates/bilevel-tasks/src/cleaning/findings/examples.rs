//! A few of many, in a message.

/// Examples in a message.
const SHOWN: usize = 3;

/// The first few of these texts.
pub(super) fn examples(texts: impl ExactSizeIterator<Item = String>) -> String {
    let count = texts.len();
    limited(texts, count, ", ")
}

/// The first few of `count` texts.
pub(super) fn limited(
    texts: impl Iterator<Item = String>,
    count: usize,
    separator: &str,
) -> String {
    let mut shown: Vec<String> = texts.take(SHOWN).collect();
    if count > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(separator)
}
