//! A network as a model of rows that are pictures.

use bilevel::{Key, Layout, Scalar};
use bilevel_autodiff::Var;

use crate::Error;
use crate::data::ImageShape;
use crate::network::{self, Network, Normalisation, Parameter};

/// A network on pictures of one shape.
///
/// Channels are normalised in groups, over one picture ([`Normalisation::Group`]), not over a batch: what a model says of
/// a row then depends on that row alone, and a row of weight zero has no influence on the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnPictures {
    network: Network,
    shape: ImageShape,
}

impl OnPictures {
    /// Fails if the pictures are too small for the network.
    pub(super) fn new(network: Network, shape: ImageShape) -> Result<Self, Error> {
        let new = Self { network, shape };
        network.parameters(new.picture()).map(|_| new)
    }

    /// The network.
    #[must_use]
    pub fn network(self) -> Network {
        self.network
    }

    /// Rows, columns, channels.
    fn picture(self) -> [usize; 3] {
        [self.shape.height, self.shape.width, self.shape.channels]
    }

    fn parameters(self, classes: usize) -> Vec<Parameter> {
        let picture = self.picture();
        let features = self.network.parameters(picture);
        let head = self.network.head(picture, classes);
        // Both fit: the shape was checked.
        let features = features.map(|(features, _)| features).unwrap_or_default();
        [features, head.unwrap_or_default()].concat()
    }

    pub(super) fn layout(self, classes: usize) -> Layout {
        network::layout(&self.parameters(classes))
    }

    pub(super) fn start<T: Scalar>(self, classes: usize, key: Key) -> Vec<T> {
        network::start(&self.parameters(classes), key)
    }

    /// Logits of rows of pixels.
    pub(super) fn logits<'t>(self, rows: Var<'t>, y: &dyn Fn(&str) -> Var<'t>) -> Var<'t> {
        let [height, width, channels] = self.picture();
        let n = rows.shape().first().copied().unwrap_or(0);
        let pictures = rows.reshape(&[n, height, width, channels]);
        let features = self.network.features(pictures, Normalisation::Group, y);
        self.network.logits(features, y)
    }

    /// Of the logits of one picture.
    pub(super) fn multiplications(self) -> usize {
        self.network.size(self.picture()).multiplications
    }

    /// Numbers between the layers, for one picture.
    pub(super) fn activations(self) -> usize {
        self.network.size(self.picture()).activations
    }
}
