//! The runtimes that there are.

use super::Runtime;
use super::cpu::Cpu;
use super::interpreter::Interpreter;

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
    pub(crate) fn runtime<T: Runtimes>(self) -> &'static dyn Runtime<T> {
        T::of(self).0
    }
}

/// The runtimes that compute with a type of number.
///
/// Its functions have no parameter for the type: the kernels of all runtimes are compiled in this crate, for both
/// types, and no crate or test that depends on it compiles them again.
pub trait Runtimes: Sized {
    /// The runtime of a device.
    fn of(device: Device) -> Handle<Self>;
}

/// A runtime. What it can do is known to this crate alone.
pub struct Handle<T: 'static>(&'static dyn Runtime<T>);

macro_rules! runtimes {
    ($type:ty) => {
        impl Runtimes for $type {
            fn of(device: Device) -> Handle<Self> {
                Handle(match device {
                    Device::Cpu => &Cpu,
                    Device::Interpreter => &Interpreter,
                })
            }
        }
    };
}

runtimes!(f32);
runtimes!(f64);
