//! The kinds of wrong labels, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a corrupted label becomes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CorruptionKind {
    /// `other`: any other class, all equally likely. Every chosen row becomes wrong.
    #[default]
    Other,
    /// `uniform`: any class, all equally likely. About one in `classes` of the chosen rows keeps
    /// its right label and is not wrong; some published code counts it as wrong, we do not.
    Uniform,
    /// `pairwise`: class c becomes c + 1, the last becomes the first. Every chosen row
    /// becomes wrong.
    Pairwise,
}

impl CorruptionKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Other, Self::Uniform, Self::Pairwise];

    /// The name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Uniform => "uniform",
            Self::Pairwise => "pairwise",
        }
    }

    /// "other, uniform or pairwise".
    pub(crate) fn names() -> String {
        let [rest @ .., last] = Self::ALL.map(Self::name);
        format!("{} or {last}", rest.join(", "))
    }
}

impl fmt::Display for CorruptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
