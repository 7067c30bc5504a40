//! A traced objective at a fixed x: the programs with their memory.

use bilevel::objective::{AtX, SecondOrder, Taped};
use bilevel::{Draw, Layout};

use super::Traced;
use super::programs::Programs;
use super::stage::{Crossing, Origin};
use crate::cpu::{Argument, Real, Workspace};
use crate::error::{Error, Result};
use crate::program::Program;

/// Tensors that one program takes and gives at most: then a call allocates nothing.
const MOST_ARGUMENTS: usize = 160;
const MOST_RESULTS: usize = 64;

pub(super) struct TracedAtX<'a, T> {
    traced: &'a Traced<T>,
    x: &'a [T],
    /// On all rows, and on batches; made when first needed.
    sides: [Option<Side<'a, T>>; 2],
    rows: BatchRows,
    workspace: Workspace<T>,
}

/// The rows of the batch that is looked at, and their labels.
#[derive(Default)]
struct BatchRows {
    index: Vec<u32>,
    labels: Vec<Vec<u32>>,
}

/// What crosses the cut at this x.
struct Side<'a, T> {
    programs: &'a Programs<T>,
    crossing: &'a [Crossing],
    rho: Vec<Vec<T>>,
    /// The cotangents of what depends on x, in the order of `crossing`.
    bars: Vec<Vec<T>>,
    /// Tangents of the results of ρ that depend on x, for products with a direction.
    tangents: Vec<Vec<T>>,
    collected: bool,
}

/// The arguments of a call.
struct Arguments<'s, T> {
    list: [Argument<'s, T>; MOST_ARGUMENTS],
    len: usize,
}

impl<'s, T> Arguments<'s, T> {
    fn new() -> Self {
        Self {
            list: [const { Argument::Real(&[]) }; MOST_ARGUMENTS],
            len: 0,
        }
    }

    fn push(&mut self, argument: Argument<'s, T>) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = argument;
        }
        self.len += 1;
    }

    fn real(&mut self, values: &'s [T]) {
        self.push(Argument::Real(values));
    }

    /// The parts of a flat variable.
    fn parts(&mut self, layout: &Layout, values: &'s [T]) {
        for part in layout.parts() {
            self.real(&values[part.start..part.start + part.len()]);
        }
    }

    fn all(&self) -> &[Argument<'s, T>] {
        &self.list[..self.len.min(MOST_ARGUMENTS)]
    }
}

/// The places of results of a call.
struct Results<'s, T> {
    list: [&'s mut [T]; MOST_RESULTS],
    len: usize,
}

impl<'s, T> Results<'s, T> {
    fn new() -> Self {
        Self {
            list: std::array::from_fn(|_| Default::default()),
            len: 0,
        }
    }

    fn push(&mut self, values: &'s mut [T]) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = values;
        }
        self.len += 1;
    }

    fn parts(&mut self, layout: &Layout, mut values: &'s mut [T]) {
        for part in layout.parts() {
            let (own, rest) = std::mem::take(&mut values).split_at_mut(part.len());
            self.push(own);
            values = rest;
        }
    }

    fn all(&mut self) -> &mut [&'s mut [T]] {
        &mut self.list[..self.len.min(MOST_RESULTS)]
    }
}

impl<'a, T: Real> TracedAtX<'a, T> {
    pub(super) fn new(traced: &'a Traced<T>, x: &'a [T]) -> Result<Self> {
        let batch = traced.batch.unwrap_or(0);
        let tensors = traced.x_layout.parts().len()
            + traced.y_layout.parts().len()
            + traced.data.tensors.len()
            + traced.data.labels.len();
        // Parts stand for themselves and for a direction; the cut and a tape add a few.
        if 2 * tensors + MOST_RESULTS > MOST_ARGUMENTS {
            return Err(Error::Setting {
                field: "parts of x and y and tensors of the data",
                range: "at most 48 together",
                value: tensors.to_string(),
            });
        }
        Ok(Self {
            traced,
            x,
            sides: [None, None],
            rows: BatchRows {
                index: Vec::with_capacity(batch),
                labels: traced
                    .data
                    .labels
                    .iter()
                    .map(|_| Vec::with_capacity(batch))
                    .collect(),
            },
            workspace: Workspace::default(),
        })
    }

    /// Fills in the rows of the draw; whether there are fewer than all.
    fn draw(&mut self, draw: Draw) -> Result<bool> {
        let data = &self.traced.data;
        let rows = self
            .traced
            .batch
            .and_then(|batch| draw.rows(data.row_count(), batch));
        let batched = if let Some(rows) = rows {
            self.rows.index.clear();
            self.rows.index.extend(rows.map(|row| row as u32));
            for (to, (_, labels)) in self.rows.labels.iter_mut().zip(&data.labels) {
                to.clear();
                to.extend(self.rows.index.iter().map(|&row| labels[row as usize]));
            }
            true
        } else {
            false
        };
        if self.sides[usize::from(batched)].is_none() {
            self.sides[usize::from(batched)] = Some(self.make_side(batched)?);
        }
        Ok(batched)
    }

    fn make_side(&mut self, batched: bool) -> Result<Side<'a, T>> {
        let traced = self.traced;
        let (variant, _) = traced.variant(batched);
        let programs = traced.programs(batched)?;
        let staged = &variant.staged;
        let mut rho: Vec<Vec<T>> = staged
            .rho
            .outputs
            .iter()
            .map(|&id| vec![T::zero(); staged.rho.node(id).len()])
            .collect();
        if !rho.is_empty() {
            let mut arguments = Arguments::new();
            rho_arguments(traced, self.x, &mut arguments);
            let mut results = Results::new();
            rho.iter_mut().for_each(|values| results.push(values));
            programs
                .rho()?
                .run(&mut self.workspace, arguments.all(), results.all())?;
        }
        let bars = staged
            .crossing
            .iter()
            .filter(|crossing| crossing.depends_on_x)
            .map(|crossing| vec![T::zero(); crossing.len])
            .collect();
        Ok(Side {
            programs,
            crossing: &staged.crossing,
            rho,
            bars,
            tangents: Vec::new(),
            collected: false,
        })
    }

    /// Runs a program of h̃ on (y, what `more` adds); `results` fills in the places, from y's own
    /// result and the bars of the x side.
    fn run<'s>(
        &'s mut self,
        draw: Draw,
        y: &'s [T],
        collects: bool,
        program: impl FnOnce(&'a Programs<T>) -> Result<&'a Program<T>>,
        more: impl FnOnce(&mut Arguments<'s, T>, &'s [Vec<T>]),
        results: impl FnOnce(&mut Results<'s, T>, &'s mut [Vec<T>]),
    ) -> Result<()> {
        let batched = self.draw(draw)?;
        let Some(side) = &mut self.sides[usize::from(batched)] else {
            return Ok(());
        };
        side.collected |= collects;
        let program = program(side.programs)?;
        let mut arguments = Arguments::new();
        let traced = self.traced;
        for crossing in side.crossing {
            arguments.real(match crossing.from {
                Origin::X(part) => {
                    let part = &traced.x_layout.parts()[part];
                    &self.x[part.start..part.start + part.len()]
                }
                Origin::Rho(number) => &side.rho[number],
            });
        }
        arguments.parts(&traced.y_layout, y);
        for tensor in &traced.data.tensors {
            arguments.real(&tensor.values);
        }
        for (number, (_, labels)) in traced.data.labels.iter().enumerate() {
            arguments.push(Argument::Index(if batched {
                &self.rows.labels[number]
            } else {
                labels
            }));
        }
        if batched {
            arguments.push(Argument::Index(&self.rows.index));
        }
        more(&mut arguments, &side.tangents);
        let mut places = Results::new();
        results(&mut places, &mut side.bars);
        program.run(&mut self.workspace, arguments.all(), places.all())
    }
}

fn rho_arguments<'s, T: Real>(traced: &'s Traced<T>, x: &'s [T], arguments: &mut Arguments<'s, T>) {
    arguments.parts(&traced.x_layout, x);
    for tensor in &traced.data.tensors {
        arguments.real(&tensor.values);
    }
    for (_, labels) in &traced.data.labels {
        arguments.push(Argument::Index(labels));
    }
}

impl<T: Real> AtX<T> for TracedAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> bilevel::Result<T> {
        let mut value = [T::zero()];
        self.run(
            draw,
            y,
            false,
            Programs::value,
            |_, _| {},
            |results, _| results.push(&mut value),
        )?;
        Ok(value[0])
    }

    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> bilevel::Result<()> {
        let layout = &self.traced.y_layout;
        self.run(
            draw,
            y,
            false,
            Programs::grad_y,
            |_, _| {},
            |results, _| results.parts(layout, out),
        )?;
        Ok(())
    }

    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> bilevel::Result<()> {
        if !self.traced.depends_on_x {
            return Ok(());
        }
        let scale = [scale];
        self.run(
            draw,
            y,
            true,
            Programs::grad_x,
            |arguments, _| arguments.real(&scale),
            |results, bars| bars.iter_mut().for_each(|bar| results.push(bar)),
        )?;
        Ok(())
    }

    fn second_order(&mut self) -> Option<&mut dyn SecondOrder<T>> {
        Some(self)
    }

    fn tape(&mut self) -> Option<&mut dyn Taped<T>> {
        Some(self)
    }

    fn finish(&mut self, x_bar: &mut [T]) -> bilevel::Result<()> {
        for side in self.sides.iter_mut().flatten() {
            if !std::mem::take(&mut side.collected) {
                continue;
            }
            let on_x = side
                .crossing
                .iter()
                .filter(|crossing| crossing.depends_on_x);
            let mut arguments = Arguments::new();
            rho_arguments(self.traced, self.x, &mut arguments);
            let mut staged = false;
            for (crossing, bar) in on_x.zip(&side.bars) {
                match crossing.from {
                    Origin::X(part) => {
                        let part = &self.traced.x_layout.parts()[part];
                        let to = &mut x_bar[part.start..part.start + part.len()];
                        bilevel::vector::axpy(T::one(), bar, to);
                    }
                    Origin::Rho(_) => {
                        staged = true;
                        arguments.real(bar);
                    }
                }
            }
            if staged {
                let mut results = Results::new();
                results.parts(&self.traced.x_layout, x_bar);
                side.programs.unstage()?.run(
                    &mut self.workspace,
                    arguments.all(),
                    results.all(),
                )?;
            }
            side.bars.iter_mut().for_each(|bar| bar.fill(T::zero()));
        }
        Ok(())
    }
}

impl<T: Real> SecondOrder<T> for TracedAtX<'_, T> {
    fn pull(&mut self, y: &[T], draw: Draw, v: &[T], y_bar: &mut [T]) -> bilevel::Result<()> {
        let layout = &self.traced.y_layout;
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
        let batched = self.draw(draw)?;
        let traced = self.traced;
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
            let mut arguments = Arguments::new();
            rho_arguments(traced, self.x, &mut arguments);
            arguments.parts(&traced.x_layout, dx);
            let mut results = Results::new();
            tangents
                .iter_mut()
                .for_each(|tangent| results.push(tangent));
            side.programs
                .push_rho()?
                .run(&mut self.workspace, arguments.all(), results.all())?;
        }
        let crossing = side.crossing;
        self.run(
            draw,
            y,
            false,
            Programs::push,
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
            |results, _| results.parts(&traced.y_layout, out),
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
        let batched = self.draw(draw)?;
        let kept = self.traced.programs(batched)?.tape()?;
        let lens = &kept.lens;
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
        let batched = self.draw(draw)?;
        let kept = self.traced.programs(batched)?.tape()?;
        let lens = &kept.lens;
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
