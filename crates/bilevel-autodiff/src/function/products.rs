//! The second-order products of a traced objective at a fixed x.

use bilevel::objective::{SecondOrder, Taped};
use bilevel::{Draw, Oracle};

use super::at::{BoundAtX, expect, rho_arguments};
use super::programs::Which;
use super::stage::{Crossing, Origin};
use crate::real::Real;

impl<T: Real> SecondOrder<T> for BoundAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> bilevel::Result<()> {
        let layout = &self.bound.compiled.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the direction in y", layout.len(), v.len())?;
        expect("the cotangent of y", layout.len(), y_bar.len())?;
        self.run(
            draw,
            y,
            (Oracle::Pull.into(), true),
            |arguments, _| arguments.parts(layout, v),
            |results, bars| {
                results.parts(layout, y_bar);
                bars.iter_mut().for_each(|bar| results.push(bar));
            },
        )?;
        Ok(())
    }

    fn push(
        &mut self,
        y: &[T],
        draw: Draw,
        dx: &[T],
        dy: &[T],
        out: &mut [T],
    ) -> bilevel::Result<()> {
        self.push_along(y, draw, (dx, dy), None, out)
    }

    fn push_with_gradient(
        &mut self,
        y: &[T],
        draw: Draw,
        along: (&[T], &[T]),
        gradient: &mut [T],
        out: &mut [T],
    ) -> bilevel::Result<bool> {
        self.push_along(y, draw, along, Some(gradient), out)?;
        Ok(true)
    }
}

impl<T: Real> BoundAtX<'_, T> {
    fn push_along(
        &mut self,
        y: &[T],
        draw: Draw,
        (dx, dy): (&[T], &[T]),
        gradient: Option<&mut [T]>,
        out: &mut [T],
    ) -> bilevel::Result<()> {
        let bound = self.bound;
        let compiled = bound.compiled();
        let (n, m) = (compiled.x_layout.len(), compiled.y_layout.len());
        expect("y", m, y.len())?;
        expect("the direction in x", n, dx.len())?;
        expect("the direction in y", m, dy.len())?;
        expect("the product", m, out.len())?;
        if let Some(gradient) = &gradient {
            expect("the gradient in y", m, gradient.len())?;
        }
        let which = match &gradient {
            Some(_) => Which::PushWithGradient,
            None => Oracle::Push.into(),
        };
        let batched = self.draw(draw);
        let x = self.x;
        let (side, lists, workspace) = self.side(batched)?;
        let staged = |c: &&Crossing| c.depends_on_x && matches!(c.from, Origin::Rho(_));
        if side.crossing.iter().any(|crossing| staged(&crossing)) {
            let tangents = &mut side.tangents;
            if tangents.is_empty() {
                let staged = side.crossing.iter().filter(staged);
                tangents.extend(staged.map(|crossing| vec![T::zero(); crossing.len]));
            }
            let (mut arguments, mut results) = lists.lend();
            let program = side.programs.push_rho()?;
            rho_arguments(bound, batched, x, program, &mut arguments);
            arguments.parts(&compiled.x_layout, dx);
            tangents
                .iter_mut()
                .for_each(|tangent| results.push(tangent));
            program.run(workspace, arguments.all(), results.all())?;
            lists.take_back(arguments, results);
        }
        let crossing = side.crossing;
        self.run(
            draw,
            y,
            (which, false),
            |arguments, tangents| {
                let mut tangents = tangents.iter();
                for crossing in crossing.iter().filter(|crossing| crossing.depends_on_x) {
                    match crossing.from {
                        Origin::X(part) => {
                            let part = &compiled.x_layout.parts()[part];
                            arguments.real(&dx[part.start..part.start + part.len()]);
                        }
                        Origin::Rho(_) => {
                            arguments.real(tangents.next().map_or(&[], Vec::as_slice));
                        }
                    }
                }
                arguments.parts(&compiled.y_layout, dy);
            },
            |results, _| {
                if let Some(gradient) = gradient {
                    results.parts(&compiled.y_layout, gradient);
                }
                results.parts(&compiled.y_layout, out);
            },
        )?;
        Ok(())
    }
}

impl<T: Real> Taped<T> for BoundAtX<'_, T> {
    fn tape_len(&self, draw: Draw) -> usize {
        let compiled = self.bound.compiled();
        let rows = compiled.shapes.row_count();
        let drawn = compiled.batch().and_then(|batch| draw.rows(rows, batch));
        // If the program cannot be compiled, running it returns the error.
        let tape = compiled.variant(drawn.is_some()).programs.tape();
        tape.map_or(0, |tape| tape.lens.iter().sum())
    }

    fn linearize(
        &mut self,
        y: &[T],
        draw: Draw,
        out: &mut [T],
        tape: &mut [T],
    ) -> bilevel::Result<()> {
        let layout = &self.bound.compiled.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the gradient in y", layout.len(), out.len())?;
        let batched = self.draw(draw);
        let lens = &self.side(batched)?.0.programs.tape()?.lens;
        expect("the tape", lens.iter().sum(), tape.len())?;
        self.run(
            draw,
            y,
            (Oracle::Linearize.into(), false),
            |_, _| {},
            |results, _| {
                results.parts(layout, out);
                let mut rest = tape;
                for &len in lens {
                    let (own, more) = std::mem::take(&mut rest).split_at_mut(len);
                    results.push(own);
                    rest = more;
                }
            },
        )?;
        Ok(())
    }

    fn pull_tape(
        &mut self,
        y: &[T],
        draw: Draw,
        tape: &[T],
        v: &[T],
        y_bar: &mut [T],
    ) -> bilevel::Result<()> {
        let layout = &self.bound.compiled.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the direction in y", layout.len(), v.len())?;
        expect("the cotangent of y", layout.len(), y_bar.len())?;
        let batched = self.draw(draw);
        let lens = &self.side(batched)?.0.programs.tape()?.lens;
        expect("the tape", lens.iter().sum(), tape.len())?;
        self.run(
            draw,
            y,
            (Oracle::PullTape.into(), true),
            |arguments, _| {
                arguments.parts(layout, v);
                let mut start = 0;
                for &len in lens {
                    arguments.real(&tape[start..start + len]);
                    start += len;
                }
            },
            |results, bars| {
                results.parts(layout, y_bar);
                bars.iter_mut().for_each(|bar| results.push(bar));
            },
        )?;
        Ok(())
    }
}
