//! The second-order products of a traced objective at a fixed x.

use bilevel::Draw;
use bilevel::objective::{SecondOrder, Taped};

use super::at::{TracedAtX, expect, rho_arguments};
use super::programs::Programs;
use super::stage::Origin;
use crate::runtime::cpu::kernel::Real;

impl<T: Real> SecondOrder<T> for TracedAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> bilevel::Result<()> {
        let layout = &self.traced.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the direction in y", layout.len(), v.len())?;
        expect("the cotangent of y", layout.len(), y_bar.len())?;
        self.run(
            draw,
            y,
            true,
            Programs::pull,
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

impl<T: Real> TracedAtX<'_, T> {
    fn push_along(
        &mut self,
        y: &[T],
        draw: Draw,
        (dx, dy): (&[T], &[T]),
        gradient: Option<&mut [T]>,
        out: &mut [T],
    ) -> bilevel::Result<()> {
        let traced = self.traced;
        let (n, m) = (traced.x_layout.len(), traced.y_layout.len());
        expect("y", m, y.len())?;
        expect("the direction in x", n, dx.len())?;
        expect("the direction in y", m, dy.len())?;
        expect("the product", m, out.len())?;
        if let Some(gradient) = &gradient {
            expect("the gradient in y", m, gradient.len())?;
        }
        let program = match &gradient {
            Some(_) => Programs::push_with_gradient,
            None => Programs::push,
        };
        let batched = self.draw(draw)?;
        let Some(side) = &mut self.sides[usize::from(batched)] else {
            return Ok(());
        };
        let mut on_x = side
            .crossing
            .iter()
            .filter(|crossing| crossing.depends_on_x);
        if on_x.any(|crossing| matches!(crossing.from, Origin::Rho(_))) {
            let tangents = &mut side.tangents;
            if tangents.is_empty() {
                let staged = side
                    .crossing
                    .iter()
                    .filter(|c| c.depends_on_x && matches!(c.from, Origin::Rho(_)));
                tangents.extend(staged.map(|crossing| vec![T::zero(); crossing.len]));
            }
            let (mut arguments, mut results) = self.lists.lend();
            rho_arguments(traced, batched, self.x, &mut arguments);
            arguments.parts(&traced.x_layout, dx);
            tangents
                .iter_mut()
                .for_each(|tangent| results.push(tangent));
            side.programs
                .push_rho()?
                .run(&mut self.workspace, arguments.all(), results.all())?;
            self.lists.take_back(arguments, results);
        }
        let crossing = side.crossing;
        self.run(
            draw,
            y,
            false,
            program,
            |arguments, tangents| {
                let mut tangents = tangents.iter();
                for crossing in crossing.iter().filter(|crossing| crossing.depends_on_x) {
                    match crossing.from {
                        Origin::X(part) => {
                            let part = &traced.x_layout.parts()[part];
                            arguments.real(&dx[part.start..part.start + part.len()]);
                        }
                        Origin::Rho(_) => {
                            arguments.real(tangents.next().map_or(&[], Vec::as_slice));
                        }
                    }
                }
                arguments.parts(&traced.y_layout, dy);
            },
            |results, _| {
                if let Some(gradient) = gradient {
                    results.parts(&traced.y_layout, gradient);
                }
                results.parts(&traced.y_layout, out);
            },
        )?;
        Ok(())
    }
}

impl<T: Real> Taped<T> for TracedAtX<'_, T> {
    fn tape_len(&self, draw: Draw) -> usize {
        let batched = self
            .traced
            .batch
            .is_some_and(|batch| draw.rows(self.traced.data.row_count(), batch).is_some());
        // A program that cannot be compiled is an error as soon as it is run.
        let programs = self.traced.programs(batched).and_then(Programs::tape);
        programs.map_or(0, |tape| tape.lens.iter().sum())
    }

    fn linearize(
        &mut self,
        y: &[T],
        draw: Draw,
        out: &mut [T],
        tape: &mut [T],
    ) -> bilevel::Result<()> {
        let layout = &self.traced.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the gradient in y", layout.len(), out.len())?;
        let batched = self.draw(draw)?;
        let kept = self.traced.programs(batched)?.tape()?;
        let lens = &kept.lens;
        expect("the tape", lens.iter().sum(), tape.len())?;
        self.run(
            draw,
            y,
            false,
            |_| Ok(&kept.linearize),
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
        let layout = &self.traced.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the direction in y", layout.len(), v.len())?;
        expect("the cotangent of y", layout.len(), y_bar.len())?;
        let batched = self.draw(draw)?;
        let kept = self.traced.programs(batched)?.tape()?;
        let lens = &kept.lens;
        expect("the tape", lens.iter().sum(), tape.len())?;
        self.run(
            draw,
            y,
            true,
            |_| Ok(&kept.pull),
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
