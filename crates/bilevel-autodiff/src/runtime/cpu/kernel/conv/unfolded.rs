//! Pictures of few channels, unfolded block by block; and what is read in the padding.

use crate::graph::{Convolved, Window};
use crate::runtime::cpu::instruction::Conv;
use crate::runtime::cpu::kernel::vectorised::Vectorised;

/// The most channels that are multiplied before the next element of the window: their weights stay in the first-level
/// cache.
pub(super) const MOST_CHANNELS: usize = 128;

/// What is read in the padding.
static ZEROS: [f64; MOST_CHANNELS] = [0.0; MOST_CHANNELS];

pub(super) fn zeros<T>() -> *const T {
    ZEROS.as_ptr().cast()
}

/// Pictures of fewer channels are unfolded: a loop over them would be too short.
const FEWEST_CHANNELS: usize = 16;

/// The most numbers of an unfolded block.
pub(super) const UNFOLDED: usize = 8192;

/// Unfolds pictures of few channels, if a block of them fits.
pub(super) fn is_unfolded(conv: &Conv) -> bool {
    let sizes = &conv.sizes;
    let length = sizes.kernel[0] * sizes.kernel[1] * sizes.channels;
    sizes.groups == 1
        && (1..FEWEST_CHANNELS).contains(&sizes.channels)
        && sizes.kernel != [1, 1]
        && length * 16 <= UNFOLDED
        && !matches!(conv.of, Convolved::Picture(_))
}

/// Copies the elements under the window at these places, row by row of `length` numbers. The elements of the window come
/// in order, each with all channels.
///
/// # Safety
/// `to` has room for them.
#[inline(always)]
pub(super) unsafe fn unfold<T: Vectorised>(
    conv: &Conv,
    pictures: *const T,
    places: std::ops::Range<usize>,
    to: *mut T,
) {
    let sizes = &conv.sizes;
    let Window {
        stride,
        padding,
        dilation,
        ..
    } = conv.window;
    let [rows, columns] = sizes.places;
    let ([height, width], channels) = (sizes.picture, sizes.channels);
    let [(down, down_step), (right, right_step)] =
        [0, 1].map(|axis| (sizes.kernel[axis], dilation[axis]));
    let mut out = to;
    let (mut n, mut row, mut column) = (
        places.start / (rows * columns),
        places.start / columns % rows,
        places.start % columns,
    );
    for _ in places {
        let top = (row * stride[0]) as isize - padding[0] as isize;
        let left = (column * stride[1]) as isize - padding[1] as isize;
        let picture = pictures.wrapping_add(n * height * width * channels);
        let whole = left >= 0 && left as usize + (right - 1) * right_step < width;
        for r in 0..down {
            // Above the picture is far below it.
            let i = (top + (r * down_step) as isize) as usize;
            let line =
                picture.wrapping_offset((i as isize * width as isize + left) * channels as isize);
            // Safety: required of the caller, and the plan's guarantee: what is read lies in the picture.
            unsafe {
                if i < height && whole && right_step == 1 {
                    for l in 0..right * channels {
                        *out.add(l) = *line.add(l);
                    }
                } else {
                    for s in 0..right {
                        let j = (left + (s * right_step) as isize) as usize;
                        let inside = i < height && j < width;
                        for c in 0..channels {
                            *out.add(s * channels + c) = match inside {
                                true => *line.add(s * right_step * channels + c),
                                false => T::zero(),
                            };
                        }
                    }
                }
                out = out.add(right * channels);
            }
        }
        column += 1;
        if column == columns {
            (column, row) = (0, row + 1);
            if row == rows {
                (row, n) = (0, n + 1);
            }
        }
    }
}
