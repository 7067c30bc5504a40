//! The arguments and results of a call, in lists whose memory is reused.

use bilevel::Layout;

use crate::program::Program;
use crate::real::Real;
use crate::runtime::Argument;
use crate::runtime::matrix::Matrix;

/// The memory of the lists between calls; both lists are empty.
pub(super) struct Lists<T: 'static> {
    arguments: Vec<Argument<'static, T>>,
    results: Vec<&'static mut [T]>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self {
            arguments: Vec::new(),
            results: Vec::new(),
        }
    }
}

impl<T: Real> Lists<T> {
    /// Empty lists for the borrows of a call.
    pub(super) fn lend<'s>(&mut self) -> (Arguments<'s, T>, Results<'s, T>) {
        // Collecting an empty list reuses its allocation.
        let arguments = std::mem::take(&mut self.arguments);
        let results = std::mem::take(&mut self.results);
        (
            Arguments(arguments.into_iter().map(|_| Argument::Real(&[])).collect()),
            Results(results.into_iter().map(|_| Default::default()).collect()),
        )
    }

    /// Takes the memory back.
    pub(super) fn take_back(
        &mut self,
        mut arguments: Arguments<'_, T>,
        mut results: Results<'_, T>,
    ) {
        arguments.0.clear();
        results.0.clear();
        let (arguments, results) = (arguments.0.into_iter(), results.0.into_iter());
        self.arguments = arguments.map(|_| Argument::Real(&[])).collect();
        self.results = results.map(|_| Default::default()).collect();
    }
}

/// The arguments of a call.
pub(super) struct Arguments<'s, T>(Vec<Argument<'s, T>>);

impl<'s, T> Arguments<'s, T> {
    pub(super) fn push(&mut self, argument: Argument<'s, T>) {
        self.0.push(argument);
    }

    pub(super) fn real(&mut self, values: &'s [T]) {
        self.push(Argument::Real(values));
    }

    /// The tensors of the data. One without its zeros is passed with them only if the program reads them.
    pub(super) fn tensors(&mut self, tensors: &'s [Matrix<T>], program: &Program<T>)
    where
        T: Real,
    {
        for tensor in tensors {
            let skipped = tensor.is_sparse() && !program.reads(self.0.len());
            self.real(if skipped { &[] } else { tensor.values() });
        }
    }

    /// The parts of a flat variable of the layout's length.
    pub(super) fn parts(&mut self, layout: &Layout, values: &'s [T]) {
        for part in layout.parts() {
            self.real(&values[part.start..part.start + part.len()]);
        }
    }

    pub(super) fn all(&self) -> &[Argument<'s, T>] {
        &self.0
    }
}

/// The output buffers of a call.
pub(super) struct Results<'s, T>(Vec<&'s mut [T]>);

impl<'s, T> Results<'s, T> {
    pub(super) fn push(&mut self, values: &'s mut [T]) {
        self.0.push(values);
    }

    /// The parts of a flat variable of the layout's length.
    pub(super) fn parts(&mut self, layout: &Layout, mut values: &'s mut [T]) {
        for part in layout.parts() {
            let (own, rest) = std::mem::take(&mut values).split_at_mut(part.len());
            self.push(own);
            values = rest;
        }
    }

    pub(super) fn all(&mut self) -> &mut [&'s mut [T]] {
        &mut self.0
    }
}
