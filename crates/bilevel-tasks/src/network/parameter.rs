//! The parameters of a network, with the layout of their numbers here and in PyTorch.

/// What a parameter is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The kernel of a convolution: (rows, columns, inputs, outputs) here, (outputs, inputs, rows, columns) in PyTorch.
    Kernel,
    /// A matrix: (inputs, outputs) here, (outputs, inputs) in PyTorch.
    Matrix {
        /// The pictures (rows, columns, channels) whose elements are the inputs; in PyTorch, channels come first.
        of: Option<[usize; 3]>,
    },
    /// A factor of each channel.
    Scale,
    /// A number that is added to each channel or class.
    Shift,
}

/// A parameter of a network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Its name in PyTorch.
    pub name: String,
    /// Its shape here.
    pub shape: Vec<usize>,
    /// What it is.
    pub role: Role,
}

impl Parameter {
    /// The number of its elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of inputs that an output sums.
    pub(super) fn inputs(&self) -> usize {
        match self.shape[..] {
            [] => 1,
            [.., _] => (self.len() / self.shape[self.shape.len() - 1].max(1)).max(1),
        }
    }

    /// Its shape in PyTorch.
    #[must_use]
    pub fn torch_shape(&self) -> Vec<usize> {
        match (self.role, &self.shape[..]) {
            (Role::Kernel, &[rows, columns, inputs, outputs]) => {
                vec![outputs, inputs, rows, columns]
            }
            (Role::Matrix { .. }, &[inputs, outputs]) => vec![outputs, inputs],
            (_, shape) => shape.to_vec(),
        }
    }

    /// For each element in PyTorch's order, its place here.
    fn places(&self) -> Vec<usize> {
        match (self.role, &self.shape[..]) {
            (Role::Kernel, &[rows, columns, inputs, outputs]) => {
                let mut places = Vec::with_capacity(self.len());
                for output in 0..outputs {
                    for input in 0..inputs {
                        for element in 0..rows * columns {
                            places.push((element * inputs + input) * outputs + output);
                        }
                    }
                }
                places
            }
            (Role::Matrix { of }, &[inputs, outputs]) => {
                let [rows, columns, channels] = of.unwrap_or([1, 1, inputs]);
                let mut places = Vec::with_capacity(self.len());
                for output in 0..outputs {
                    for channel in 0..channels {
                        for element in 0..rows * columns {
                            places.push((element * channels + channel) * outputs + output);
                        }
                    }
                }
                places
            }
            _ => (0..self.len()).collect(),
        }
    }

    /// Its numbers in PyTorch's order.
    #[must_use]
    pub fn to_torch<T: Copy>(&self, numbers: &[T]) -> Vec<T> {
        self.places().into_iter().map(|i| numbers[i]).collect()
    }

    /// Its numbers in the order used here.
    #[must_use]
    pub fn from_torch<T: Copy + Default>(&self, numbers: &[T]) -> Vec<T> {
        let mut own = vec![T::default(); numbers.len()];
        for (&number, place) in numbers.iter().zip(self.places()) {
            own[place] = number;
        }
        own
    }
}
