//! The two number types, with functions that vectorise.

use bilevel::Scalar;
use gemm_common::Parallelism;
use pulp::{Arch, Simd, WithSimd};

use super::vector::{Kernel, Lanes, Of};

/// What kernels need of a number type in addition to [`Scalar`]: an exponential in plain arithmetic, which the compiler
/// turns into vector instructions, and the vectors of the machine.
pub(crate) trait Vectorised: Scalar {
    /// eˣ within 2 units in the last place; `FUSED` says whether a fused multiply-add is an instruction.
    #[must_use]
    fn exponential<const FUSED: bool>(self) -> Self;

    /// `self · b + c`, rounded once if there is an instruction for it.
    #[must_use]
    fn multiply_add<const FUSED: bool>(self, b: Self, c: Self) -> Self;

    /// Stores an index as the bits of a number.
    fn from_index(index: u32) -> Self;

    /// The index that [`Vectorised::from_index`] stored.
    fn index(self) -> usize;

    /// `c = alpha·c + beta·a·b` with the vectors of the machine.
    fn general_product() -> GeneralProduct<Self>;

    /// Runs a kernel with the vectors of this type.
    fn with_lanes<S: Simd>(simd: S, kernel: impl Kernel<Self>);
}

/// Sizes m, n and k; c with its column and row strides, and whether it is read; a and b with their strides; alpha and
/// beta; which of the three are conjugated; threads.
pub(crate) type GeneralProduct<T> = unsafe fn(
    usize,
    usize,
    usize,
    *mut T,
    isize,
    isize,
    bool,
    *const T,
    isize,
    isize,
    *const T,
    isize,
    isize,
    T,
    T,
    bool,
    bool,
    bool,
    Parallelism,
);

/// 1/n! from the highest power down to the first, for e^r on |r| ≤ ln 2 / 2.
const INVERSE_FACTORIALS: [f64; 13] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
];

macro_rules! real {
    ($type:ty, $product:path, $bits:ty, $signed:ty, $magic:expr, $bias:expr, $mantissa:expr, $high:expr, $low:expr,
     $least:expr, $most:expr, $terms:expr) => {
        impl Vectorised for $type {
            #[inline(always)]
            fn exponential<const FUSED: bool>(self) -> Self {
                // x = n ln 2 + r; e^x = 2^n e^r. Adding the magic number rounds to an integer, which is then in the low
                // bits.
                let x = if self > $most { $most } else { self };
                let x = if x < $least { $least } else { x };
                let shifted = x.multiply_add::<FUSED>(std::f64::consts::LOG2_E as $type, $magic);
                let n = shifted - $magic;
                let r = n.multiply_add::<FUSED>(-$high, x);
                let r = n.multiply_add::<FUSED>(-$low, r);
                let mut power = INVERSE_FACTORIALS[13 - $terms] as $type;
                for &term in &INVERSE_FACTORIALS[14 - $terms..] {
                    power = power.multiply_add::<FUSED>(r, term as $type);
                }
                let power = power.multiply_add::<FUSED>(r, 1.0);
                // In two steps, so that neither scale leaves the range before the result does.
                let n = (shifted.to_bits() as $signed)
                    .wrapping_sub(($magic as $type).to_bits() as $signed);
                let half = n >> 1;
                let scale = |n: $signed| <$type>::from_bits(((n + $bias) as $bits) << $mantissa);
                let result = power * scale(half) * scale(n - half);
                if self.is_nan() { self } else { result }
            }

            #[inline(always)]
            fn multiply_add<const FUSED: bool>(self, b: Self, c: Self) -> Self {
                if FUSED {
                    self.mul_add(b, c)
                } else {
                    self * b + c
                }
            }

            #[inline(always)]
            fn from_index(index: u32) -> Self {
                Self::from_bits(<$bits>::from(index))
            }

            #[inline(always)]
            fn index(self) -> usize {
                self.to_bits() as usize
            }

            fn general_product() -> GeneralProduct<Self> {
                $product()
            }

            #[inline(always)]
            fn with_lanes<S: Simd>(simd: S, kernel: impl Kernel<Self>) {
                kernel.run(Of(simd));
            }
        }
    };
}

// ln 2 in two parts, the first short enough that n times it is exact (Cody and Waite, 1980).
real!(
    f32,
    gemm_f32::gemm::f32::get_gemm_fn,
    u32,
    i32,
    12_582_912.0_f32,
    127,
    23,
    0.693_145_75_f32,
    1.428_606_8e-6_f32,
    -104.0_f32,
    89.0_f32,
    7
);
real!(
    f64,
    gemm_f64::gemm::f64::get_gemm_fn,
    u64,
    i64,
    6_755_399_441_055_744.0_f64,
    1023,
    52,
    0.693_147_180_369_123_8_f64,
    1.908_214_929_270_587_7e-10_f64,
    -746.0_f64,
    710.0_f64,
    13
);

/// Runs a kernel with the vectors of the machine.
pub(crate) fn vectorised<T: Vectorised>(kernel: impl Kernel<T>) {
    struct Run<T, K>(K, std::marker::PhantomData<T>);
    impl<T: Vectorised, K: Kernel<T>> WithSimd for Run<T, K> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            T::with_lanes(simd, self.0);
        }
    }
    Arch::new().dispatch(Run(kernel, std::marker::PhantomData::<T>));
}

/// The number of numbers in a vector of this machine.
pub(crate) fn lanes<T: Vectorised>() -> usize {
    struct Count<'a>(&'a mut usize);
    impl<T> Kernel<T> for Count<'_> {
        #[inline(always)]
        fn run<W: Lanes<T>>(self, _: W) {
            *self.0 = W::COUNT;
        }
    }
    let mut count = 0;
    vectorised::<T>(Count(&mut count));
    count
}

#[cfg(test)]
mod tests {
    use super::Vectorised;

    #[test]
    fn exponentials_are_right_to_two_units() {
        for i in -8000..8000 {
            let x = f64::from(i) * 0.0887;
            let (found, expected) = (x.exponential::<true>(), x.exp());
            let close = (found - expected).abs() <= 2.0 * f64::EPSILON * expected
                || (expected < 1e-300 && (found - expected).abs() < 1e-320)
                || found == expected;
            assert!(close, "{x} {found} {expected}");
            let x = x as f32 * 0.13;
            let (found, expected) = (x.exponential::<true>(), x.exp());
            let close = (found - expected).abs() <= 2.0 * f32::EPSILON * expected
                || (expected < 1e-37 && (found - expected).abs() < 1e-44)
                || found == expected;
            assert!(close, "{x} {found} {expected}");
            assert!(
                (x.exponential::<false>() - expected).abs()
                    <= 3.0 * f32::EPSILON * expected + 1e-44
                    || expected.is_infinite()
            );
        }
    }

    #[test]
    fn exponentials_at_the_ends() {
        assert_eq!(f64::INFINITY.exponential::<true>(), f64::INFINITY);
        assert_eq!(f64::NEG_INFINITY.exponential::<true>(), 0.0);
        assert!(f64::NAN.exponential::<true>().is_nan());
        assert_eq!(f32::INFINITY.exponential::<true>(), f32::INFINITY);
        assert_eq!(f32::NEG_INFINITY.exponential::<true>(), 0.0);
        assert!(f32::NAN.exponential::<true>().is_nan());
        assert_eq!(0.0_f32.exponential::<true>(), 1.0);
        assert_eq!(0.0_f64.exponential::<false>(), 1.0);
    }
}
