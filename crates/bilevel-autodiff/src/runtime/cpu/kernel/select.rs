//! Rows and classes selected by indices, which were checked on entry.

use super::frame::Frame;
use super::vectorised::Vectorised;
use super::walk::walk;
use crate::graph::MOST_AXES;
use crate::runtime::cpu::instruction::SelectClass;
use crate::runtime::cpu::view::At;

pub(super) fn take_rows<T: Vectorised>(
    frame: &Frame<'_, T>,
    (data, data_row): (At, usize),
    index: At,
    rows: usize,
    width: usize,
    to: At,
) {
    let (data, index, to) = (frame.read(data), frame.index(index), frame.write(to));
    for i in 0..rows {
        // Safety: the plan's guarantee, see `kernel`.
        unsafe {
            let row = index.at(i as isize);
            let from = std::slice::from_raw_parts(data.add(row * data_row), width);
            std::slice::from_raw_parts_mut(to.add(i * width), width).copy_from_slice(from);
        }
    }
}

pub(super) fn add_rows<T: Vectorised>(
    frame: &Frame<'_, T>,
    from: At,
    index: At,
    rows: usize,
    width: usize,
    (to, to_rows): (At, usize),
) {
    let (from, index, to) = (frame.read(from), frame.index(index), frame.write(to));
    // Safety: the plan's guarantee, see `kernel`.
    unsafe { std::slice::from_raw_parts_mut(to, to_rows * width) }.fill(T::zero());
    for i in 0..rows {
        // Safety: as above.
        unsafe {
            let row = index.at(i as isize);
            let from = std::slice::from_raw_parts(from.add(i * width), width);
            let to = std::slice::from_raw_parts_mut(to.add(row * width), width);
            for (to, &from) in to.iter_mut().zip(from) {
                *to += from;
            }
        }
    }
}

pub(super) fn run<T: Vectorised>(frame: &Frame<'_, T>, kernel: &SelectClass) {
    let lanes = kernel.lanes.at(frame.rows);
    let lane = kernel.lane.map(|stride| stride.at(frame.rows));
    let class = kernel.class.at(frame.rows);
    let index = frame.index(kernel.index);
    let (data, value) = if kernel.scatter {
        (
            frame.write(kernel.data).cast_const(),
            frame.read(kernel.value),
        )
    } else {
        (
            frame.read(kernel.data),
            frame.write(kernel.value).cast_const(),
        )
    };
    let mut resolved = [(0_usize, [0_isize; 3]); MOST_AXES];
    for (slot, (count, strides)) in resolved.iter_mut().zip(&kernel.inner) {
        *slot = (*count, strides.map(|stride| stride.at(frame.rows)));
    }
    let axes = &resolved[..kernel.inner.len().min(MOST_AXES)];
    walk(axes, |[d, i, v]| {
        let (data, value) = (data.wrapping_offset(d), value.wrapping_offset(v));
        if kernel.scatter {
            for c in 0..kernel.classes as isize {
                if lane[0] == 1 {
                    // Safety: the plan's guarantee, see `kernel`.
                    unsafe {
                        let row = data.offset(class * c).cast_mut();
                        std::slice::from_raw_parts_mut(row, lanes).fill(T::zero());
                    }
                    continue;
                }
                for l in 0..lanes as isize {
                    // Safety: the plan's guarantee, see `kernel`.
                    unsafe { *data.offset(class * c + lane[0] * l).cast_mut() = T::zero() };
                }
            }
        }
        for l in 0..lanes as isize {
            // Safety: as above.
            unsafe {
                let chosen = index.at(i + lane[1] * l) as isize;
                let data = data.offset(lane[0] * l + class * chosen);
                let value = value.offset(lane[2] * l);
                if kernel.scatter {
                    *data.cast_mut() = *value;
                } else {
                    *value.cast_mut() = *data;
                }
            }
        }
    });
}
