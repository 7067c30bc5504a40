//! The available runtimes.

use super::Runtime;
use super::cpu::Cpu;
use super::interpreter::Interpreter;

/// The target that programs are compiled for. Results differ only in rounding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Device {
    /// The CPU: fused kernels over blocks of rows, on the threads of the current rayon pool.
    #[default]
    Cpu,
    /// The plain interpreter of [`reference`](crate::reference): it runs one primitive after the other, each by its
    /// definition. It is slow, allocates in every run and predicts no cost; use it to compare results.
    Interpreter,
}

impl Device {
    pub(crate) fn runtime<T: Runtimes>(self) -> &'static dyn Runtime<T> {
        T::of(self).0
    }
}

/// The runtimes for one number type.
///
/// Its functions have no type parameter: the kernels of all runtimes are compiled in this crate, for both types, and no
/// dependent crate or test compiles them again.
pub trait Runtimes: Sized {
    /// The runtime of a device.
    fn of(device: Device) -> Handle<Self>;
}

/// A runtime, opaque outside this crate.
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
