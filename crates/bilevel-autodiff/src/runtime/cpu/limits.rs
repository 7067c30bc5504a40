//! The sizes that plans and kernels agree on.

/// Elements of one chunk of a fused kernel.
pub(crate) const CHUNK: usize = 1024;

/// Columns of a narrow product at most.
pub(crate) const MOST_COLUMNS: usize = 32;

/// Numbers of the right operand of a product at most that is read where it is: beyond the second-level cache a
/// general product is faster.
pub(crate) const MOST_SHARED: usize = 65_536;

/// Buffers start at multiples of so many numbers: a line of the cache.
pub(crate) const ALIGNMENT: usize = 16;

/// Vectors of a strip: columns of the matrix that a packed one is multiplied by at once.
pub(crate) const STRIP_VECTORS: usize = 2;

/// Lines of a panel of a packed matrix: each number of the other operand that is read is used so many times.
pub(crate) const HEIGHT: usize = 4;
