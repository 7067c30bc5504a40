//! A bound function at a fixed x: its programs with their memory.

use bilevel::objective::{AtX, SecondOrder, Taped};
use bilevel::{Draw, Layout, Objective, Oracle};

use super::arguments::{Arguments, Lists, Results};
use super::bound::Bound;
use super::programs::{Programs, Which};
use super::stage::{Crossing, Origin};
use crate::error::Result;
use crate::program::Program;
use crate::real::Real;
use crate::runtime::{Argument, Selected, Workspace};

impl<T: Real> Objective<T> for Bound<T> {
    fn x_layout(&self) -> &Layout {
        &self.compiled.x_layout
    }

    fn y_layout(&self) -> &Layout {
        &self.compiled.y_layout
    }

    fn depends_on_x(&self) -> bool {
        self.compiled.depends_on_x()
    }

    fn has_second_order(&self) -> bool {
        true
    }

    fn has_tape(&self) -> bool {
        true
    }

    fn at<'a>(&'a self, x: &'a [T]) -> bilevel::Result<Box<dyn AtX<T> + 'a>> {
        expect("x", self.compiled.x_layout.len(), x.len())?;
        Ok(Box::new(BoundAtX::new(self, x)))
    }
}

pub(super) struct BoundAtX<'a, T: 'static> {
    pub(super) bound: &'a Bound<T>,
    pub(super) x: &'a [T],
    /// For all rows, and for batches; computed when first needed.
    sides: [Option<Side<'a, T>>; 2],
    rows: BatchRows,
    pub(super) workspace: Workspace<T>,
    pub(super) lists: Lists<T>,
}

/// The rows of the current batch, and their labels.
#[derive(Default)]
struct BatchRows {
    index: Vec<u32>,
    labels: Vec<Vec<u32>>,
}

/// The x side at this x: the values that cross the cut, and their cotangents and tangents.
pub(super) struct Side<'a, T> {
    pub(super) programs: &'a Programs<T>,
    pub(super) crossing: &'a [Crossing],
    rho: Vec<Vec<T>>,
    /// What ρ keeps for its derivative.
    kept: Vec<Vec<T>>,
    /// The cotangents of the values that depend on x, in the order of `crossing`.
    bars: Vec<Vec<T>>,
    /// Tangents of the results of ρ that depend on x, for products with a direction.
    pub(super) tangents: Vec<Vec<T>>,
    collected: bool,
    /// The prepared data of each program that has run.
    selected: [Option<Option<Box<dyn Selected>>>; Which::COUNT],
}

impl<T> Drop for BoundAtX<'_, T> {
    fn drop(&mut self) {
        let sides = self.sides.iter_mut().flatten();
        let buffers = sides.flat_map(|side| side.kept.drain(..)).collect();
        let workspace = std::mem::take(&mut self.workspace);
        self.bound.compiled.keep(workspace, buffers);
    }
}

impl<'a, T: Real> BoundAtX<'a, T> {
    fn new(bound: &'a Bound<T>, x: &'a [T]) -> Self {
        let batch = bound.compiled.batch().unwrap_or(0);
        Self {
            bound,
            x,
            sides: [None, None],
            rows: BatchRows {
                index: Vec::with_capacity(batch),
                labels: bound
                    .labels
                    .iter()
                    .map(|_| Vec::with_capacity(batch))
                    .collect(),
            },
            workspace: bound.compiled.workspace(),
            lists: Lists::default(),
        }
    }

    /// Fills in the rows of the draw. Returns whether it is a batch, not all rows.
    pub(super) fn draw(&mut self, draw: Draw) -> bool {
        let rows = self.bound.compiled.shapes.rows;
        let batch = self.bound.compiled.batch();
        let Some(drawn) = batch.and_then(|batch| draw.rows(rows, batch)) else {
            return false;
        };
        self.rows.index.clear();
        self.rows.index.extend(drawn.map(|row| row as u32));
        for (to, labels) in self.rows.labels.iter_mut().zip(&self.bound.labels) {
            to.clear();
            to.extend(self.rows.index.iter().map(|&row| labels[row as usize]));
        }
        true
    }

    /// Runs a program of h̃ on y and the arguments that `more` adds. `results` adds the places of
    /// the results; it receives the cotangents of the x side.
    pub(super) fn run<'s>(
        &'s mut self,
        draw: Draw,
        y: &'s [T],
        (which, collects): (Which, bool),
        more: impl FnOnce(&mut Arguments<'s, T>, &'s [Vec<T>]),
        results: impl FnOnce(&mut Results<'s, T>, &'s mut [Vec<T>]),
    ) -> Result<()> {
        let batched = self.draw(draw);
        let Self {
            bound,
            x,
            sides,
            rows,
            workspace,
            lists,
        } = self;
        let side = Side::get(sides, batched, (bound, x), lists, workspace)?;
        side.collected |= collects;
        let program = side.programs.get(which)?;
        let selected = match &mut side.selected[which.index()] {
            Some(selected) => selected,
            empty => empty.insert(bound.select(side.programs, which)?),
        };
        let compiled = &*bound.compiled;
        let (mut arguments, mut places) = lists.lend();
        for crossing in side.crossing {
            arguments.real(match crossing.from {
                Origin::X(part) => part_of(&compiled.x_layout, part, x),
                Origin::Rho(number) => &side.rho[number],
            });
        }
        arguments.parts(&compiled.y_layout, y);
        arguments.tensors(&bound.tensors, program);
        if batched {
            for labels in &rows.labels {
                arguments.push(Argument::Index(labels));
            }
        } else {
            for labels in &bound.labels {
                arguments.push(Argument::Index(labels));
            }
        }
        for columns in &bound.columns {
            arguments.push(Argument::Index(columns));
        }
        if batched {
            arguments.push(Argument::Index(&rows.index));
        }
        more(&mut arguments, &side.tangents);
        results(&mut places, &mut side.bars);
        program.run_with(
            workspace,
            selected.as_deref(),
            arguments.all(),
            places.all(),
        )?;
        lists.take_back(arguments, places);
        Ok(())
    }

    /// The x side for batches or for all rows.
    pub(super) fn side(
        &mut self,
        batched: bool,
    ) -> Result<(&mut Side<'a, T>, &mut Lists<T>, &mut Workspace<T>)> {
        let (lists, workspace) = (&mut self.lists, &mut self.workspace);
        let at = (self.bound, self.x);
        let side = Side::get(&mut self.sides, batched, at, lists, workspace)?;
        Ok((side, lists, workspace))
    }
}

impl<'a, T: Real> Side<'a, T> {
    /// The x side for batches or for all rows, computed on first use.
    fn get<'s>(
        sides: &'s mut [Option<Self>; 2],
        batched: bool,
        (bound, x): (&'a Bound<T>, &'a [T]),
        lists: &mut Lists<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<&'s mut Self> {
        match &mut sides[usize::from(batched)] {
            Some(side) => Ok(side),
            empty => {
                let side = Self::new(bound, batched, x, lists, workspace)?;
                Ok(empty.insert(side))
            }
        }
    }

    fn new(
        bound: &'a Bound<T>,
        batched: bool,
        x: &'a [T],
        lists: &mut Lists<T>,
        workspace: &mut Workspace<T>,
    ) -> Result<Self> {
        let variant = bound.compiled.variant(batched);
        let staged = &variant.staged;
        let mut rho: Vec<Vec<T>> = staged
            .rho
            .outputs
            .iter()
            .map(|&id| vec![T::zero(); staged.rho.node(id).len()])
            .collect();
        let mut kept = Vec::new();
        if !rho.is_empty() {
            let (mut arguments, mut results) = lists.lend();
            let program = variant.programs.rho()?;
            kept = bound.compiled.buffers(variant.programs.kept_by_rho()?);
            rho_arguments(bound, batched, x, program, &mut arguments);
            let all = rho.iter_mut().chain(&mut kept);
            all.for_each(|values| results.push(values));
            program.run(workspace, arguments.all(), results.all())?;
            lists.take_back(arguments, results);
        }
        let on_x = staged.crossing.iter().filter(|c| c.depends_on_x);
        Ok(Self {
            programs: &variant.programs,
            crossing: &staged.crossing,
            rho,
            kept,
            bars: on_x.map(|c| vec![T::zero(); c.len]).collect(),
            tangents: Vec::new(),
            collected: false,
            selected: Default::default(),
        })
    }
}

impl<T: Real> Bound<T> {
    /// The result on all rows.
    pub(super) fn evaluate(&self, x: &[T], y: &[T]) -> Result<Vec<T>> {
        let mut out = vec![T::zero(); self.compiled.shape().iter().product()];
        BoundAtX::new(self, x).run(
            Draw::All,
            y,
            (Oracle::Value.into(), false),
            |_, _| {},
            |results, _| results.push(&mut out),
        )?;
        Ok(out)
    }

    /// The prepared data that a program uses.
    pub(super) fn select(
        &self,
        programs: &Programs<T>,
        which: Which,
    ) -> Result<Option<Box<dyn Selected>>> {
        let first = programs.first_tensor();
        programs.get(which)?.select(&|input| {
            let tensor = input.checked_sub(first)?;
            self.prepared.get(tensor)?.as_deref()
        })
    }
}

/// The values of a part of x.
fn part_of<'x, T>(layout: &Layout, part: usize, x: &'x [T]) -> &'x [T] {
    let part = &layout.parts()[part];
    &x[part.start..part.start + part.len()]
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
    bound: &'s Bound<T>,
    batched: bool,
    x: &'s [T],
    program: &Program<T>,
    arguments: &mut Arguments<'s, T>,
) {
    arguments.parts(&bound.compiled.x_layout, x);
    arguments.tensors(&bound.tensors, program);
    for labels in bound.labels.iter().filter(|_| !batched) {
        arguments.push(Argument::Index(labels));
    }
    for columns in &bound.columns {
        arguments.push(Argument::Index(columns));
    }
}

impl<T: Real> AtX<T> for BoundAtX<'_, T> {
    fn value(&mut self, y: &[T], draw: Draw) -> bilevel::Result<T> {
        expect("y", self.bound.compiled.y_layout.len(), y.len())?;
        let mut value = [T::zero()];
        self.run(
            draw,
            y,
            (Oracle::Value.into(), false),
            |_, _| {},
            |results, _| results.push(&mut value),
        )?;
        Ok(value[0])
    }

    fn grad_y(&mut self, y: &[T], draw: Draw, out: &mut [T]) -> bilevel::Result<()> {
        let layout = &self.bound.compiled.y_layout;
        expect("y", layout.len(), y.len())?;
        expect("the gradient in y", layout.len(), out.len())?;
        self.run(
            draw,
            y,
            (Oracle::GradY.into(), false),
            |_, _| {},
            |results, _| results.parts(layout, out),
        )?;
        Ok(())
    }

    fn grad_x(&mut self, y: &[T], draw: Draw, scale: T) -> bilevel::Result<()> {
        if !self.bound.compiled.depends_on_x() {
            return Ok(());
        }
        expect("y", self.bound.compiled.y_layout.len(), y.len())?;
        let scale = [scale];
        self.run(
            draw,
            y,
            (Oracle::GradX.into(), true),
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
            let staged = on_x
                .clone()
                .any(|crossing| matches!(crossing.from, Origin::Rho(_)));
            let program = staged.then(|| side.programs.unstage()).transpose()?;
            let (mut arguments, mut results) = self.lists.lend();
            if let Some(program) = program {
                rho_arguments(self.bound, number == 1, self.x, program, &mut arguments);
            }
            for (crossing, bar) in on_x.zip(&side.bars) {
                match crossing.from {
                    Origin::X(part) => {
                        let part = &self.bound.compiled.x_layout.parts()[part];
                        let to = &mut x_bar[part.start..part.start + part.len()];
                        bilevel::vector::axpy(T::one(), bar, to);
                    }
                    Origin::Rho(_) => arguments.real(bar),
                }
            }
            if let Some(program) = program {
                side.kept.iter().for_each(|kept| arguments.real(kept));
                results.parts(&self.bound.compiled.x_layout, x_bar);
                program.run(&mut self.workspace, arguments.all(), results.all())?;
            }
            self.lists.take_back(arguments, results);
            side.bars.iter_mut().for_each(|bar| bar.fill(T::zero()));
        }
        Ok(())
    }
}
