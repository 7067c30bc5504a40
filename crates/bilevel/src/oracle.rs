//! The oracles of an objective, and a number for each of them.

use std::array;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Index, IndexMut, Mul};

/// Each oracle with its name, its name in words, and its cost in gradients ∇_y h. Those of `taped`
/// use a tape, each as the one that gives the same result without a tape.
/// Everything that depends on which oracles there are is written here, so the list cannot be
/// incomplete.
macro_rules! oracles {
    (
        untaped {
            $($(#[$doc:meta])* $oracle:ident: $name:ident, $text:literal, $gradients:literal;)*
        }
        taped {
            $(
                $(#[$taped_doc:meta])*
                $taped:ident as $untaped:ident:
                    $taped_name:ident, $taped_text:literal, $taped_gradients:literal;
            )*
        }
    ) => {
        /// What a method can ask of an objective h.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Oracle {
            $($(#[$doc])* $oracle,)*
            $($(#[$taped_doc])* $taped,)*
        }

        impl Oracle {
            /// All oracles, in order.
            pub const ALL: [Self; [$(Self::$oracle,)* $(Self::$taped,)*].len()] =
                [$(Self::$oracle,)* $(Self::$taped,)*];

            /// The name of its calls where they are counted: `grad_y`, `pulls`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$oracle => stringify!($name),)*
                    $(Self::$taped => stringify!($taped_name),)*
                }
            }

            /// Its result in words. Oracles with the same words are listed together.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$oracle => $text,)*
                    $(Self::$taped => $taped_text,)*
                }
            }

            /// The cost of a call in units of one gradient ∇_y h, by the usual rule: a value costs half
            /// a gradient, a product two, from a tape one. It is a rule of thumb for choosing between
            /// methods; for a given objective, measure the cost or compute it from its programs.
            #[must_use]
            pub const fn gradients(self) -> f64 {
                match self {
                    $(Self::$oracle => $gradients,)*
                    $(Self::$taped => $taped_gradients,)*
                }
            }

            /// The oracle that gives the same result without a tape; itself if it uses none.
            #[must_use]
            pub const fn untaped(self) -> Self {
                match self {
                    $(Self::$oracle => self,)*
                    $(Self::$taped => Self::$untaped,)*
                }
            }
        }

        /// [`Calls`](crate::Calls) as they are stored: by name, without tapes.
        #[cfg(feature = "serde")]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(rename = "Calls")]
        struct StoredCalls {
            $($name: u64,)*
        }

        #[cfg(feature = "serde")]
        impl From<PerOracle<u64>> for StoredCalls {
            fn from(calls: PerOracle<u64>) -> Self {
                let calls = calls.untaped();
                Self { $($name: calls[Oracle::$oracle],)* }
            }
        }

        #[cfg(feature = "serde")]
        impl From<StoredCalls> for PerOracle<u64> {
            fn from(stored: StoredCalls) -> Self {
                Self::of([$((Oracle::$oracle, stored.$name),)*])
            }
        }
    };
}

oracles! {
    untaped {
        /// The value h.
        Value: values, "value", 0.5;
        /// The gradient ∇_y h.
        GradY: grad_y, "gradient in y", 1.0;
        /// The gradient ∇_x h.
        GradX: grad_x, "gradient in x", 1.0;
        /// The products ∇²_yy h v and ∇²_xy h v together, see
        /// [`SecondOrder::pull`](crate::objective::SecondOrder::pull).
        Pull: pulls, "product", 2.0;
        /// The product ∇²_yy h dy + ∇²_yx h dx, see
        /// [`SecondOrder::push`](crate::objective::SecondOrder::push).
        Push: pushes, "product forward", 2.0;
    }
    taped {
        /// The gradient ∇_y h that also fills a tape, see
        /// [`Taped::linearize`](crate::objective::Taped::linearize).
        Linearize as GradY: linearizations, "gradient in y", 1.0;
        /// The products of [`Oracle::Pull`] from a tape, see
        /// [`Taped::pull_tape`](crate::objective::Taped::pull_tape).
        PullTape as Pull: tape_pulls, "product from a tape", 1.0;
    }
}

impl Oracle {
    /// Its position in [`Oracle::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A number for each oracle.
///
/// ```
/// use bilevel::{Oracle, PerOracle};
/// let mut calls = PerOracle::of([(Oracle::Value, 1), (Oracle::Linearize, 3)]);
/// calls[Oracle::GradY] += 2;
/// assert_eq!(calls.untaped(), PerOracle::of([(Oracle::Value, 1), (Oracle::GradY, 5)]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PerOracle<N>([N; Oracle::ALL.len()]);

impl<N: Copy + Default> PerOracle<N> {
    /// These numbers, and zero for all other oracles.
    #[must_use]
    pub fn of<const COUNT: usize>(numbers: [(Oracle, N); COUNT]) -> Self {
        let mut all = Self::default();
        for (oracle, number) in numbers {
            all[oracle] = number;
        }
        all
    }
}

impl<N: Copy> PerOracle<N> {
    /// The oracles in order, each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Oracle, N)> {
        Oracle::ALL.into_iter().zip(self.0)
    }
}

impl<N: Copy + Sum> PerOracle<N> {
    /// The sum over all oracles.
    #[must_use]
    pub fn total(self) -> N {
        self.0.into_iter().sum()
    }
}

impl<N: Copy + Default + AddAssign> PerOracle<N> {
    /// The same with each call that uses a tape as one without, see [`Oracle::untaped`].
    #[must_use]
    pub fn untaped(self) -> Self {
        let mut untaped = Self::default();
        for (oracle, number) in self.iter() {
            untaped[oracle.untaped()] += number;
        }
        untaped
    }
}

impl<N> Index<Oracle> for PerOracle<N> {
    type Output = N;

    fn index(&self, oracle: Oracle) -> &N {
        &self.0[oracle.index()]
    }
}

impl<N> IndexMut<Oracle> for PerOracle<N> {
    fn index_mut(&mut self, oracle: Oracle) -> &mut N {
        &mut self.0[oracle.index()]
    }
}

impl<N: Copy + Add<Output = N>> Add for PerOracle<N> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(array::from_fn(|index| self.0[index] + other.0[index]))
    }
}

impl<N: Copy + Add<Output = N>> AddAssign for PerOracle<N> {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<N: Copy + Mul<Output = N>> Mul<N> for PerOracle<N> {
    type Output = Self;

    fn mul(self, times: N) -> Self {
        Self(self.0.map(|number| number * times))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PerOracle<u64> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StoredCalls::from(*self).serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for PerOracle<u64> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StoredCalls::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oracle_has_its_own_position_and_name() {
        for (position, oracle) in Oracle::ALL.into_iter().enumerate() {
            assert_eq!(oracle.index(), position, "{oracle:?}");
            let same = Oracle::ALL.iter().filter(|o| o.name() == oracle.name());
            assert_eq!(same.count(), 1, "{oracle:?}");
        }
    }

    #[test]
    fn sums_and_multiples_are_those_of_each_oracle() {
        let mut numbers = PerOracle::<u64>::default();
        for oracle in Oracle::ALL {
            numbers[oracle] = 10 + oracle.index() as u64;
        }
        let mut sum = numbers + numbers * 2;
        sum += PerOracle::of([(Oracle::Push, 1)]);
        for (oracle, number) in sum.iter() {
            let expected = 3 * numbers[oracle] + u64::from(oracle == Oracle::Push);
            assert_eq!(number, expected, "{oracle:?}");
        }
        assert_eq!(sum.total(), 3 * (70 + 21) + 1);
        assert_eq!(sum.untaped().total(), sum.total());
    }
}
