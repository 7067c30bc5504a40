//! What can be done about an error, by kind: an error says what is wrong, and whoever shows it says what to
//! type.

/// What can be done about an error. Settings have the names of [`Setting::name`](crate::catalogue::Setting::name),
/// a method that of `method`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Hint {
    /// One of the settings that contradict each other is to be left out.
    LeaveOneOut(Vec<&'static str>),
    /// A setting is to be left out.
    LeaveOut(&'static str),
    /// These settings go together.
    Use(Vec<(&'static str, String)>),
}
