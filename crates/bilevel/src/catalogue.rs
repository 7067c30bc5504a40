//! The methods as data: names, settings, how each is built, and its description.
//!
//! A command, a configuration and a Python package build methods from the same list. [`Settings`] holds what is
//! given, from text ([`Settings::set`]) or as a field; [`Method::new`] fills in the rest and refuses
//! combinations that make no sense with a [`Refusal`]; [`Method::build`] makes the [`HyperGradient`](crate::HyperGradient).
//!
//! ```
//! use bilevel::catalogue::{Defaults, Method, Setting, Settings};
//! let mut settings = Settings { method: Some("truncated:5".parse()?), ..Settings::default() };
//! settings.set(Setting::Steps, "20")?;
//! let method = Method::new(&settings, Defaults::TRAINING).unwrap();
//! assert_eq!((method.name().as_str(), method.settings.steps), ("truncated:5", 20));
//!
//! settings.set(Setting::Penalty, "constant:10")?;
//! assert!(Method::new(&settings, Defaults::TRAINING).is_err());
//! # Ok::<(), bilevel::Error>(())
//! ```

mod budget;
mod choice;
mod debiased;
mod entry;
mod implicit;
mod list;
mod method;
mod name;
mod one_step;
mod refusal;
mod resolve;
mod resolved;
#[cfg(feature = "serde")]
mod serial;
mod setting;
mod settings;
mod size;
#[cfg(test)]
mod tests;
mod unrolled;
mod value;

pub use budget::{Chosen, TooLarge, choose};
pub use choice::{
    AdjointChoice, DynamicsChoice, FieldChoice, OptimizerChoice, ProbabilityChoice, StepSizeChoice,
};
pub use entry::{Build, Derivative, Entry, Form, Gives, Page, Parameter, Precision, Steps};
pub use list::METHODS;
pub use method::{Defaults, Method};
pub use name::MethodChoice;
pub use refusal::Refusal;
pub use resolved::Resolved;
pub use setting::{About, Setting};
pub use settings::Settings;
pub use size::Size;
