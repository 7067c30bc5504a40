//! What the user can do about an error in data or settings, by kind.

/// What the user can do about an error. The error says what is wrong; the program that shows the error matches the
/// kind of hint and says what to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// A hint about settings or about keys of a specification.
    Settings(bilevel::Hint),
    /// Say which column holds the labels.
    NameLabel,
    /// Say that there is no line of names.
    NoHeader,
    /// Leave this column out of the features.
    IgnoreColumn(String),
    /// Fill missing values with the means of their columns.
    Fill,
    /// Several columns need a decision.
    Columns(ColumnRemedies),
    /// Name the file of labels, with this key.
    NameLabels(&'static str),
    /// Name the file of rows, and this one as that of labels.
    NameRows,
    /// A smaller model, or fewer rows or classes.
    LessMemory,
    /// Fewer steps, or a limit of time, or to say that it is meant.
    LessTime,
    /// Resize all pictures, for example to this height and width.
    ImageSize(usize),
}

/// What can be done about columns that cannot be used as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ColumnRemedies {
    /// Columns that can be left out.
    pub ignore: Vec<String>,
    /// Columns that can be read as categories.
    pub category: Vec<String>,
    /// Whether to say which mark is the decimal one.
    pub decimal: bool,
    /// Whether to say what to do with missing values.
    pub missing: bool,
    /// Whether a few texts may be missing values.
    pub few_texts: bool,
}
