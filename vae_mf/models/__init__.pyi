"""Public names of the room, read by `__init__.py` and by editors."""

from .base import Decoder, Encoder, Prior
from .critic import DenseCritic, LatticeCritic
from .decoders import CNNDecoder, LinearDecoder, MLPDecoder, SharedDecoder
from .directors.decoders import BinghamCNNDecoder, SharedBinghamDecoder
from .directors.encoders import DirectorCNNEncoder, DirectorLinearEncoder, DirectorMLPEncoder
from .encoders import CNNEncoder, LinearEncoder, MLPEncoder
from .likelihoods import IndependentSpins
from .posterior import DiagonalGaussian
from .priors.autoregressive import AutoregressiveSplinePrior
from .priors.gaussian import GaussianPrior
from .priors.mixture import MixturePrior
from .priors.spline import SplinePrior
from .tensors import Condition
from .vae import VAE

__all__ = [
    "VAE",
    "AutoregressiveSplinePrior",
    "BinghamCNNDecoder",
    "CNNDecoder",
    "CNNEncoder",
    "Condition",
    "Decoder",
    "DenseCritic",
    "DiagonalGaussian",
    "DirectorCNNEncoder",
    "DirectorLinearEncoder",
    "DirectorMLPEncoder",
    "Encoder",
    "GaussianPrior",
    "IndependentSpins",
    "LatticeCritic",
    "LinearDecoder",
    "LinearEncoder",
    "MLPDecoder",
    "MLPEncoder",
    "MixturePrior",
    "Prior",
    "SharedBinghamDecoder",
    "SharedDecoder",
    "SplinePrior",
]
