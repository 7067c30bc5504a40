//! What the user can do about an error, by kind: the error says what is wrong, the program that shows it says
//! what to type.

/// What the user can do about an error. Settings have the names of [`Setting::name`](crate::catalogue::Setting::name);
/// the method is called `method`. A program that shows errors should match every kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hint {
    /// Leave out one of these settings: they contradict each other.
    LeaveOneOut(Vec<&'static str>),
    /// Leave out this setting.
    LeaveOut(&'static str),
    /// These settings go together.
    Use(Vec<(&'static str, String)>),
    /// Any one of these settings.
    OneOf(Vec<(&'static str, String)>),
    /// A smaller value of this setting.
    Smaller(&'static str),
    /// More damping or weight decay, until the inner Hessian is positive definite.
    Damp,
}
