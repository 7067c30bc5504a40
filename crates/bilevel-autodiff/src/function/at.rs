//! A traced objective at a fixed x: the programs with their memory.

use bilevel::Draw;
use bilevel::objective::{AtX, SecondOrder, Taped};

use super::Traced;
use super::arguments::{Arguments, Lists, Results};
use super::programs::Programs;
use super::stage::{Crossing, Origin};
use crate::error::Result;
use crate::program::Program;
use crate::runtime::Argument;
use crate::runtime::cpu::kernel::Real;
use crate::runtime::cpu::machine::Workspace;

pub(super) struct TracedAtX<'a, T: 'static> {
    pub(super) traced: &'a Traced<T>,
    pub(super) x: &'a [T],
    /// On all rows, and on batches; made when first needed.
    pub(super) sides: [Option<Side<'a, T>>; 2],
    rows: BatchRows,
    pub(super) workspace: Workspace<T>,
    pub(super) lists: Lists<T>,
}

/// The rows of the batch that is looked at, and their labels.
#[derive(Default)]
struct BatchRows {
    index: Vec<u32>,
    labels: Vec<Vec<u32>>,
}

/// What crosses the cut at this x.
pub(super) struct Side<'a, T> {
    pub(super) programs: &'a Programs<T>,
    pub(super) crossing: &'a [Crossing],
    rho: Vec<Vec<T>>,
    /// The cotangents of what depends on x, in the order of `crossing`.
    bars: Vec<Vec<T>>,
    /// Tangents of the results of ρ that depend on x, for products with a direction.
    pub(super) tangents: Vec<Vec<T>>,
    collected: bool,
}

impl<'a, T: Real> TracedAtX<'a, T> {
    pub(super) fn new(traced: &'a Traced<T>, x: &'a [T]) -> Self {
        let batch = traced.batch.unwrap_or(0);
        Self {
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
            lists: Lists::default(),
        }
    }

    /// Fills in the rows of the draw; whether there are fewer than all.
    pub(super) fn draw(&mut self, draw: Draw) -> Result<bool> {
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
            let (mut arguments, mut results) = self.lists.lend();
            rho_arguments(traced, batched, self.x, &mut arguments);
            rho.iter_mut().for_each(|values| results.push(values));
            programs
                .rho()?
                .run(&mut self.workspace, arguments.all(), results.all())?;
            self.lists.take_back(arguments, results);
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
    pub(super) fn run<'s>(
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
        let (mut arguments, mut places) = self.lists.lend();
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
        for columns in &traced.data.columns {
            arguments.push(Argument::Index(columns));
        }
        if batched {
            arguments.push(Argument::Index(&self.rows.index));
        }
        more(&mut arguments, &side.tangents);
        results(&mut places, &mut side.bars);
        program.run(&mut self.workspace, arguments.all(), places.all())?;
        self.lists.take_back(arguments, places);
        Ok(())
    }
}

/// Fails unless the flat variable has the length of its layout.
pub(super) fn expect(what: &'static str, expected: usize, found: usize) -> bilevel::Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(bilevel::Error::Length {
            what,
            expected,
            found,
        })
    }
}

pub(super) fn rho_arguments<'s, T: Real>(
    traced: &'s Traced<T>,
    batched: bool,
    x: &'s [T],
    arguments: &mut Arguments<'s, T>,
) {
    arguments.parts(&traced.x_layout, x);
    for tensor in &traced.data.tensors {
        arguments.real(&tensor.values);
    }
    for (_, labels) in traced.data.labels.iter().filter(|_| !batched) {
        arguments.push(Argument::Index(labels));
    }
    for columns in &traced.data.columns {
        arguments.push(Argument::Index(columns));
    }
}

impl<T: Real> AtX<T> for TracedAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> bilevel::Result<T> {
        expect("y", self.traced.y_layout.len(), y.len())?;
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
        expect("y", layout.len(), y.len())?;
        expect("the gradient in y", layout.len(), out.len())?;
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
        expect("y", self.traced.y_layout.len(), y.len())?;
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
        expect("the cotangent of x", self.x.len(), x_bar.len())?;
        for (number, side) in self.sides.iter_mut().enumerate() {
            let Some(side) = side else { continue };
            if !std::mem::take(&mut side.collected) {
                continue;
            }
            let on_x = side
                .crossing
                .iter()
                .filter(|crossing| crossing.depends_on_x);
            let (mut arguments, mut results) = self.lists.lend();
            rho_arguments(self.traced, number == 1, self.x, &mut arguments);
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
                results.parts(&self.traced.x_layout, x_bar);
                side.programs.unstage()?.run(
                    &mut self.workspace,
                    arguments.all(),
                    results.all(),
                )?;
            }
            self.lists.take_back(arguments, results);
            side.bars.iter_mut().for_each(|bar| bar.fill(T::zero()));
        }
        Ok(())
    }
}
