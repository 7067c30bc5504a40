//! Vectors of the machine, for both number types.

use pulp::{MemMask, Simd};

/// The operations on vectors of T that product kernels need.
#[doc(hidden)]
pub(crate) trait Lanes<T>: Copy {
    type Vector: Copy;

    /// Numbers in a vector.
    const COUNT: usize = size_of::<Self::Vector>() / size_of::<T>();

    /// Whether there are 32 registers, as AVX-512 has; otherwise there are 16.
    const MANY: bool = size_of::<Self::Vector>() == 64;

    fn splat(self, value: T) -> Self::Vector;
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// a · b + c.
    fn multiply_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// The sum of all lanes, in an order that the machine's vectors determine.
    fn sum(self, a: Self::Vector) -> T;

    /// The vector at `from`.
    ///
    /// # Safety
    /// `COUNT` numbers can be read there.
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> Self::Vector {
        // Safety: required of the caller.
        unsafe { from.cast::<Self::Vector>().read_unaligned() }
    }

    /// The first `count` numbers at `from`, and zeros.
    ///
    /// # Safety
    /// `count` numbers can be read there; `count` is at most `COUNT`.
    unsafe fn load_part(self, from: *const T, count: usize) -> Self::Vector;

    /// Writes the first `count` numbers of the vector to `to`.
    ///
    /// # Safety
    /// `count` numbers can be written there; `count` is at most `COUNT`.
    unsafe fn store_part(self, to: *mut T, count: usize, vector: Self::Vector);

    /// Writes the vector to `to`.
    ///
    /// # Safety
    /// `COUNT` numbers can be written there.
    #[inline(always)]
    unsafe fn store(self, to: *mut T, vector: Self::Vector) {
        // Safety: required of the caller.
        unsafe { to.cast::<Self::Vector>().write_unaligned(vector) };
    }
}

/// Says that a number is read soon; it need not exist.
#[inline(always)]
pub(super) fn prefetch<T>(from: *const T) {
    #[cfg(target_arch = "x86_64")]
    // Safety: this instruction never fails, and all processors of this architecture have it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// Vectors of the instruction set S.
#[derive(Clone, Copy)]
pub(super) struct Of<S>(pub(super) S);

macro_rules! lanes {
    ($type:ty, $vector:ident, $splat:ident, $add:ident, $multiply_add:ident, $sum:ident, $size:ty, $mask:ident,
     $load:ident, $store:ident) => {
        impl<S: Simd> Lanes<$type> for Of<S> {
            type Vector = S::$vector;

            #[inline(always)]
            fn splat(self, value: $type) -> Self::Vector {
                self.0.$splat(value)
            }

            #[inline(always)]
            fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
                self.0.$add(a, b)
            }

            #[inline(always)]
            fn multiply_add(
                self,
                a: Self::Vector,
                b: Self::Vector,
                c: Self::Vector,
            ) -> Self::Vector {
                self.0.$multiply_add(a, b, c)
            }

            #[inline(always)]
            fn sum(self, a: Self::Vector) -> $type {
                self.0.$sum(a)
            }

            #[inline(always)]
            unsafe fn load_part(self, from: *const $type, count: usize) -> Self::Vector {
                // Without the function that pulp's own mask calls: the instruction is faster.
                let mask = MemMask::new(self.0.$mask(0, count as $size).mask());
                // Safety: required of the caller.
                unsafe { self.0.$load(mask, from) }
            }

            #[inline(always)]
            unsafe fn store_part(self, to: *mut $type, count: usize, vector: Self::Vector) {
                let mask = MemMask::new(self.0.$mask(0, count as $size).mask());
                // Safety: required of the caller.
                unsafe { self.0.$store(mask, to, vector) }
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    splat_f32s,
    add_f32s,
    mul_add_e_f32s,
    reduce_sum_f32s,
    u32,
    mask_between_m32s,
    mask_load_ptr_f32s,
    mask_store_ptr_f32s
);
lanes!(
    f64,
    f64s,
    splat_f64s,
    add_f64s,
    mul_add_e_f64s,
    reduce_sum_f64s,
    u64,
    mask_between_m64s,
    mask_load_ptr_f64s,
    mask_store_ptr_f64s
);

/// A kernel for one number type and any vectors of it.
pub(crate) trait Kernel<T> {
    #[doc(hidden)]
    fn run<W: Lanes<T>>(self, lanes: W);
}
