//! How rows are cut into groups and blocks.

use std::ops::Range;

/// How the rows are cut. Each group has its own partial sums and runs as one task, block by block. The cut depends only
/// on shapes and options, so results do not depend on the number of threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Partition {
    pub(crate) rows: usize,
    pub(crate) group_rows: usize,
    pub(crate) block_rows: usize,
}

impl Partition {
    pub(crate) fn groups(&self) -> usize {
        self.rows.div_ceil(self.group_rows.max(1))
    }

    pub(crate) fn blocks_a_group(&self) -> usize {
        self.group_rows.div_ceil(self.block_rows.max(1))
    }

    /// The rows of each block, in order.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let Self {
            rows,
            group_rows,
            block_rows,
        } = *self;
        (0..self.groups()).flat_map(move |group| {
            let begin = group * group_rows;
            let end = (begin + group_rows).min(rows);
            (begin..end)
                .step_by(block_rows.max(1))
                .map(move |first| first..(first + block_rows).min(end))
        })
    }
}
