//! Rows by a text that several of them share: who labelled them, where they are from.

use std::collections::HashMap;

/// Which group each row is in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Groups {
    names: Vec<String>,
    of: Vec<u32>,
}

impl Groups {
    /// The groups of rows with these texts; blanks around a text do not count, and an empty text is a group too.
    pub fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut groups = Self::default();
        for text in texts {
            let text = text.trim();
            let number = *numbers.entry(text).or_insert_with(|| {
                groups.names.push(text.to_owned());
                groups.names.len() as u32 - 1
            });
            groups.of.push(number);
        }
        groups
    }

    /// Their names, in the order of their first rows.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The group of each row: an index of [`names`](Self::names).
    #[must_use]
    pub fn of_rows(&self) -> &[u32] {
        &self.of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_group() {
        let groups = Groups::new(["ann", "bob ", "ann", "", "bob"]);
        assert_eq!(groups.names(), ["ann", "bob", ""]);
        assert_eq!(groups.of_rows(), [0, 1, 0, 2, 1]);
    }
}
