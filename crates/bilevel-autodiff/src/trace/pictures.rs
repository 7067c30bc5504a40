//! Layers of networks on pictures (n, rows, columns, channels).

use std::panic::Location;

use super::Var;
use crate::graph::{Convolved, Lines, Op, Window};

impl Var<'_> {
    /// The convolution with a kernel (rows, columns, input channels of a group, output channels): element (n, i, j, o)
    /// is the sum of the elements under the window at (i, j) times the kernel's. The kernel is not reversed.
    #[track_caller]
    #[must_use]
    pub fn conv(self, kernel: Self, window: Window) -> Self {
        let of = Convolved::Result;
        self.push(Location::caller(), Op::Conv { window, of }, &[kernel])
    }

    /// The largest element under a window of this size, for each channel. Padding is ignored; the first of equal
    /// elements gets the whole cotangent. Without dilation and groups.
    #[track_caller]
    #[must_use]
    pub fn max_pool(self, size: [usize; 2], window: Window) -> Self {
        let place = Location::caller();
        let index = self.push(place, Op::PoolIndices { size, window }, &[]);
        let &[n, rows, columns, channels] = &self.shape()[..] else {
            return index;
        };
        let Ok([p, q]) = window.places([rows, columns], size) else {
            return index;
        };
        let flat = self.push(place, Op::Reshape(vec![n, rows * columns, channels]), &[]);
        let gather = Op::Lines(Lines::Gather { axis: 1 });
        let largest = flat.push(place, gather, &[index]);
        largest.push(place, Op::Reshape(vec![n, p, q, channels]), &[])
    }

    /// The mean of the elements under a window of this size, for each channel; those in the padding count as zeros.
    /// Without dilation and groups.
    #[track_caller]
    #[must_use]
    pub fn mean_pool(self, size: [usize; 2], window: Window) -> Self {
        let place = Location::caller();
        let shape = self.shape();
        let places = match shape[..] {
            [_, rows, columns, _] if window.dilation == [1, 1] && window.groups == 1 => {
                window.places([rows, columns], size).ok()
            }
            _ => None,
        };
        let Some(places) = places else {
            let expected = "pictures (n, rows, columns, channels) in which the window fits, without dilation and groups";
            return self.refused(place, "mean_pool", &[], expected);
        };
        let mut all = self;
        for axis in 0..2 {
            let [before, after] = [window.padding[axis]; 2];
            // So that every element of the last window is followed by a whole stride.
            let reach = window.stride[axis] * places[axis] + size[axis] - 1;
            let padded = shape[axis + 1] + before + after;
            let after = after + reach.saturating_sub(padded);
            let pad = Op::Pad {
                axis: axis + 1,
                before,
                after,
            };
            all = all.push(place, pad, &[]).summed_windows(
                place,
                axis + 1,
                (size[axis], window.stride[axis], places[axis]),
            );
        }
        all * (1.0 / (size[0] * size[1]) as f64)
    }

    /// The sums of windows along an axis: element i is the sum of `size` elements from `stride · i` on.
    fn summed_windows(
        self,
        place: super::Place,
        axis: usize,
        (size, stride, places): (usize, usize, usize),
    ) -> Self {
        let shape = self.shape();
        if shape.len() <= axis {
            return self;
        }
        let strided = |start: usize| {
            let len = stride * places;
            let part = self.push(place, Op::Slice { axis, start, len }, &[]);
            let mut split = shape.clone();
            split.splice(axis..=axis, [places, stride]);
            let part = part.push(place, Op::Reshape(split), &[]);
            let first = Op::Slice {
                axis: axis + 1,
                start: 0,
                len: 1,
            };
            let mut to = shape.clone();
            to[axis] = places;
            part.push(place, first, &[])
                .push(place, Op::Reshape(to), &[])
        };
        (1..size).fold(strided(0), |sum, start| sum + strided(start))
    }

    /// Batch normalisation with the statistics of this batch: (x − mean) / √(variance + `epsilon`) over all axes but the
    /// last, times `scale` plus `shift`, one of each for each channel.
    #[track_caller]
    #[must_use]
    pub fn batch_norm(self, scale: Self, shift: Self, epsilon: f64) -> Self {
        let axes: Vec<usize> = (1..self.shape().len()).map(|axis| axis - 1).collect();
        let centred = self - self.mean_over(&axes);
        let variance = centred.square().mean_over(&axes);
        // One factor for each channel.
        let factor = scale / (variance + epsilon).sqrt();
        centred * factor + shift
    }

    /// Group normalisation: (x − mean) / √(variance + `epsilon`) over rows, columns and the channels of a group, times
    /// `scale` plus `shift`, one of each for each channel. One group is layer normalisation of pictures.
    #[track_caller]
    #[must_use]
    pub fn group_norm(self, groups: usize, scale: Self, shift: Self, epsilon: f64) -> Self {
        let place = Location::caller();
        let shape = self.shape();
        let &[n, rows, columns, channels] = &shape[..] else {
            let expected = "pictures (n, rows, columns, channels)";
            return self.refused(place, "group_norm", &[], expected);
        };
        if groups == 0 || channels % groups != 0 {
            return self.refused(
                place,
                "group_norm",
                &[],
                "channels that the groups share equally",
            );
        }
        let split = vec![n, rows, columns, groups, channels / groups];
        let split = self.push(place, Op::Reshape(split), &[]);
        let normal = split.layer_norm(&[1, 2, 4], epsilon);
        normal.push(place, Op::Reshape(shape), &[]) * scale + shift
    }
}
