//! How a window moves over pictures.

use super::shape_fault;
use crate::error::Fault;

/// How a window moves over pictures of shape (n, rows, columns, channels). All pairs are (rows, columns).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Window {
    /// From one place of the window to the next.
    pub stride: [usize; 2],
    /// Zeros on each side of the picture; a maximum ignores them.
    pub padding: [usize; 2],
    /// From one element of the window to the next.
    pub dilation: [usize; 2],
    /// The channels are split into this number of groups, each convolved with its own share of the kernels.
    pub groups: usize,
}

impl Default for Window {
    /// Stride 1, no padding, no dilation, one group.
    fn default() -> Self {
        Self {
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
        }
    }
}

impl Window {
    /// A window with this stride and padding in both directions.
    #[must_use]
    pub fn new(stride: usize, padding: usize) -> Self {
        Self {
            stride: [stride; 2],
            padding: [padding; 2],
            ..Self::default()
        }
    }

    /// The number of places of a window of this size on a picture: ⌊(picture + 2·padding − dilation·(size − 1) − 1) /
    /// stride⌋ + 1 in each direction.
    pub(crate) fn places(
        &self,
        picture: [usize; 2],
        size: [usize; 2],
    ) -> Result<[usize; 2], Fault> {
        let mut places = [0; 2];
        for (axis, places) in places.iter_mut().enumerate() {
            let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
            if stride == 0 || dilation == 0 || size[axis] == 0 {
                return Err(shape_fault(
                    "a window with a size, a stride and a dilation of at least 1",
                ));
            }
            let padded = self.padding[axis].checked_mul(2);
            let padded = padded.and_then(|padding| padding.checked_add(picture[axis]));
            let reach = dilation.checked_mul(size[axis] - 1);
            let free = padded.zip(reach);
            let free = free.and_then(|(padded, reach)| padded.checked_sub(reach)?.checked_sub(1));
            *places = free.ok_or_else(|| {
                shape_fault(format!(
                    "a window of {} × {} (dilation {:?}) that fits into the picture of {} × {} (padding {:?})",
                    size[0], size[1], self.dilation, picture[0], picture[1], self.padding
                ))
            })? / stride
                + 1;
        }
        Ok(places)
    }

    /// The element of the picture at this place of the window and this element of the window; None in the padding.
    #[inline(always)]
    pub(crate) fn at(
        &self,
        picture: [usize; 2],
        place: [usize; 2],
        element: [usize; 2],
    ) -> Option<[usize; 2]> {
        let mut at = [0; 2];
        for axis in 0..2 {
            let padded = place[axis] * self.stride[axis] + element[axis] * self.dilation[axis];
            at[axis] = padded
                .checked_sub(self.padding[axis])
                .filter(|&at| at < picture[axis])?;
        }
        Some(at)
    }
}
