//! The sizes that plans and kernels agree on.

/// Elements of one chunk of a fused kernel.
pub(crate) const CHUNK: usize = 1024;

/// So many terms are summed before they are added to the total: the error of a long sum is that of two short ones.
pub(crate) const TERMS: usize = 64;

/// The most columns of a narrow product.
pub(crate) const MOST_COLUMNS: usize = 32;

/// The most numbers in a right operand that a product reads in place. Beyond the second-level cache, a general product
/// is faster.
pub(crate) const MOST_SHARED: usize = 65_536;

/// Buffers start at multiples of this many numbers: a cache line.
pub(crate) const ALIGNMENT: usize = 16;

/// Vectors in a strip: the columns that a packed matrix is multiplied by at once.
pub(crate) const STRIP_VECTORS: usize = 2;

/// Lines in a panel of a packed matrix: each number read from the other operand is used this many times.
pub(crate) const HEIGHT: usize = 4;
