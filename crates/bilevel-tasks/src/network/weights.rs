//! Weights of networks as safetensors, with PyTorch's names and shapes.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bilevel::Scalar;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::parameter::Parameter;
use super::problem::WeightsProblem;
use crate::Error;

/// Tensors by name, as in a file.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Weights {
    /// Shape and numbers.
    tensors: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    /// What the program that wrote them says about them, if it was this one.
    pub about: Option<String>,
}

/// The key of what this program says about weights.
const ABOUT: &str = "bilevel";

impl Weights {
    /// The tensors of a safetensors file.
    ///
    /// # Errors
    /// If it cannot be read, is damaged, or holds other things than real numbers.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes).map_err(|problem| Error::Weights {
            path: path.to_owned(),
            problem: Box::new(problem),
        })
    }

    /// The tensors in the bytes of a safetensors file.
    ///
    /// # Errors
    /// If they are damaged, or hold other things than real numbers.
    pub fn parse(bytes: &[u8]) -> Result<Self, WeightsProblem> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| WeightsProblem::Format {
            found: format!("{} bytes: {error}", bytes.len()),
        })?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            // Counters of batches, which PyTorch stores beside its statistics.
            if view.dtype() == Dtype::I64 {
                continue;
            }
            let numbers = numbers(&view).ok_or_else(|| WeightsProblem::Kind {
                name: name.to_owned(),
                found: format!("{:?}", view.dtype()),
            })?;
            tensors.insert(name.to_owned(), (view.shape().to_vec(), numbers));
        }
        // The header was read once already: it is whole.
        let about = SafeTensors::read_metadata(bytes)
            .ok()
            .and_then(|(_, header)| header.metadata().as_ref()?.get(ABOUT).cloned());
        Ok(Self { tensors, about })
    }

    /// The numbers of these parameters, one after the other, in the order used here. Other tensors of the file, such as
    /// running statistics, are not read.
    ///
    /// # Errors
    /// If one is missing, has another shape, or holds a number that is not finite.
    pub fn of<T: Scalar>(&self, parameters: &[Parameter]) -> Result<Vec<T>, WeightsProblem> {
        let mut all = Vec::new();
        for parameter in parameters {
            let name = &parameter.name;
            let (shape, numbers) =
                self.tensors
                    .get(name)
                    .ok_or_else(|| WeightsProblem::Missing {
                        name: name.clone(),
                        known: self.tensors.keys().cloned().collect(),
                    })?;
            let expected = parameter.torch_shape();
            if *shape != expected {
                return Err(WeightsProblem::Shape {
                    name: name.clone(),
                    expected,
                    found: shape.clone(),
                });
            }
            if let Some(found) = numbers.iter().find(|number| !number.is_finite()) {
                return Err(WeightsProblem::NotFinite {
                    name: name.clone(),
                    found: found.to_string(),
                });
            }
            let own = parameter.from_torch(numbers);
            all.extend(own.into_iter().map(T::from_f64));
        }
        Ok(all)
    }

    /// The bytes of a safetensors file with these parameters, in single precision, as PyTorch has them. `numbers` are
    /// one parameter after the other, in the order used here; `about` is stored beside them.
    ///
    /// # Errors
    /// If the writer refuses the names or the sizes.
    pub fn bytes<T: Scalar>(
        parameters: &[Parameter],
        numbers: &[T],
        about: Option<String>,
    ) -> Result<Vec<u8>, WeightsProblem> {
        let mut start = 0;
        let mut all = Vec::new();
        for parameter in parameters {
            let end = (start + parameter.len()).min(numbers.len());
            let ordered = parameter.to_torch(&numbers[start..end]);
            let single = ordered.into_iter().map(|n| n.to_double() as f32);
            let bytes: Vec<u8> = single.flat_map(f32::to_le_bytes).collect();
            all.push((parameter, bytes));
            start = end;
        }
        let refused = |error: safetensors::SafeTensorError| WeightsProblem::Format {
            found: error.to_string(),
        };
        let mut views = Vec::new();
        for (parameter, bytes) in &all {
            let view = TensorView::new(Dtype::F32, parameter.torch_shape(), bytes);
            views.push((parameter.name.as_str(), view.map_err(refused)?));
        }
        // One key: several would have no order.
        let about = about.map(|about| HashMap::from([(ABOUT.to_owned(), about)]));
        safetensors::serialize(views, about).map_err(refused)
    }
}

/// The numbers of a tensor; None if they are no real numbers.
fn numbers(view: &TensorView<'_>) -> Option<Vec<f64>> {
    let bytes = view.data();
    Some(match view.dtype() {
        Dtype::F32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F16 => each(bytes, |b| half(u16::from_le_bytes(b))),
        Dtype::BF16 => each(bytes, |b| {
            f64::from(f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))
        }),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|&b| of(b)).collect()
}

/// A number of half precision (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, start};
    use super::*;
    use bilevel::Key;

    #[test]
    fn weights_that_are_written_are_read_again() {
        let picture = [28, 28, 1];
        for network in [
            Network::LeNet,
            "conv4:8".parse().unwrap(),
            Network::ResNet18,
        ] {
            let (mut parameters, _) = network.parameters(picture).unwrap();
            parameters.extend(network.head(picture, 7).unwrap());
            let numbers: Vec<f32> = start(&parameters, Key::from_seed(3));
            let bytes = Weights::bytes(&parameters, &numbers, Some("é".to_owned())).unwrap();
            let again = Weights::parse(&bytes).unwrap();
            assert_eq!(again.about.as_deref(), Some("é"));
            assert_eq!(again.of::<f32>(&parameters).unwrap(), numbers);
        }
    }

    #[test]
    fn kernels_and_matrices_have_pytorchs_order() {
        let network: Network = "conv4:2".parse().unwrap();
        let (parameters, _) = network.parameters([28, 28, 3]).unwrap();
        let kernel = &parameters[0];
        assert_eq!(kernel.torch_shape(), [2, 3, 3, 3]);
        // Output 1, input 2, row 0, column 1 in PyTorch.
        let mut torch = vec![0; kernel.len()];
        torch[((3 + 2) * 3) * 3 + 1] = 9;
        assert_eq!(kernel.from_torch(&torch)[(3 + 2) * 2 + 1], 9);
        assert_eq!(kernel.to_torch(&kernel.from_torch(&torch)), torch);
        let head = &network.head([28, 28, 3], 5).unwrap()[0];
        // 2 channels of 2 × 2: channel 1, row 0, column 1 of class 4.
        let mut torch = vec![0; head.len()];
        torch[4 * 8 + 4 + 1] = 9;
        assert_eq!(head.from_torch(&torch)[(2 + 1) * 5 + 4], 9);
    }

    #[test]
    fn halves() {
        for (bits, number) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x0001, 2.0_f64.powi(-24)),
            (0x7bff, 65504.0),
            (0x3555, 0.333_251_953_125),
        ] {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7e00).is_nan() && half(0xfc00) == f64::NEG_INFINITY);
    }

    #[test]
    fn damaged_files_are_named() {
        let (parameters, _) = Network::LeNet.parameters([28, 28, 1]).unwrap();
        let numbers: Vec<f64> = start(&parameters, Key::from_seed(0));
        let about = Some("é".to_owned());
        let bytes = Weights::bytes(&parameters, &numbers, about.clone()).unwrap();
        for broken in [&bytes[..0], &bytes[..9], &bytes[..bytes.len() - 1]] {
            let error = Weights::parse(broken).unwrap_err();
            assert!(error.to_string().starts_with("expected weights"), "{error}");
        }
        let overlapping = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#;
        let huge = br#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,18446744073709551615]}}"#;
        for header in [&overlapping[..], &huge[..]] {
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend(header);
            file.extend([0; 8]);
            Weights::parse(&file).unwrap_err();
        }
        let mut infinite = numbers.clone();
        infinite[7] = f64::INFINITY;
        let infinite = Weights::bytes(&parameters, &infinite, None).unwrap();
        let error = Weights::parse(&infinite).unwrap().of::<f32>(&parameters);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("conv1.weight: expected finite numbers, found inf"),
            "{error}"
        );
        let other = Network::ResNet18.parameters([28, 28, 1]).unwrap().0;
        let weights = Weights::parse(&bytes).unwrap();
        let error = weights.of::<f32>(&other).unwrap_err().to_string();
        assert!(
            error.contains("conv1.weight: expected the shape [64, 1, 7, 7]"),
            "{error}"
        );
    }
}
