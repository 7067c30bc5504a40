//! Compiles the kernels for `f32` and `f64` in this crate. In builds with little optimisation, such as test
//! builds, dependent crates and tests then link them; otherwise each of them would spend most of its build time
//! compiling them again.

use crate::{Argument, Program, Result, Workspace};

type Run<T> = fn(&Program<T>, &mut Workspace<T>, &[Argument<'_, T>], &mut [&mut [T]]) -> Result<()>;

#[used]
static SINGLE: Run<f32> = Program::run;

#[used]
static DOUBLE: Run<f64> = Program::run;
