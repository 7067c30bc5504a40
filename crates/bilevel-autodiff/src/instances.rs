//! The kernels for `f32` and `f64`, compiled with this crate: in builds with little optimisation, such as
//! those of tests, the crates and tests that use it then link them. Each would compile them anew, for most of
//! its time.

use crate::{Argument, Program, Result, Workspace};

type Run<T> = fn(&Program<T>, &mut Workspace<T>, &[Argument<'_, T>], &mut [&mut [T]]) -> Result<()>;

#[used]
static SINGLE: Run<f32> = Program::run;

#[used]
static DOUBLE: Run<f64> = Program::run;
