//! The runtimes that there are.

use super::Runtime;
use super::cpu::Cpu;
use super::interpreter::Interpreter;
use crate::real::Real;

/// What programs are compiled for. Results differ in rounding alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Device {
    /// The processor: fused kernels over blocks of rows, on the threads of the current rayon pool.
    #[default]
    Cpu,
    /// The plain interpreter of [`reference`](crate::reference): one primitive after the other, as each is defined.
    /// It is slow, allocates in every run and predicts no cost; use it to compare results.
    Interpreter,
}

impl Device {
    pub(crate) fn runtime<T: Real>(self) -> &'static dyn Runtime<T> {
        match self {
            Self::Cpu => &Cpu,
            Self::Interpreter => &Interpreter,
        }
    }
}
