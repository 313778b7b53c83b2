"""Variational autoencoders: encoders, decoders, priors and critics, in plain torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Decoder", "Encoder", "Prior"],
        "critic": ["DenseCritic", "LatticeCritic"],
        "decoders": ["CNNDecoder", "LinearDecoder", "MLPDecoder", "SharedDecoder"],
        "directors.decoders": ["BinghamCNNDecoder", "SharedBinghamDecoder"],
        "directors.encoders": ["DirectorCNNEncoder", "DirectorLinearEncoder", "DirectorMLPEncoder"],
        "encoders": ["CNNEncoder", "LinearEncoder", "MLPEncoder"],
        "likelihoods": ["IndependentSpins"],
        "posterior": ["DiagonalGaussian"],
        "priors.autoregressive": ["AutoregressiveSplinePrior"],
        "priors.mixture": ["MixturePrior"],
        "priors.gaussian": ["GaussianPrior"],
        "priors.spline": ["SplinePrior"],
        "tensors": ["Condition"],
        "vae": ["VAE"],
    },
)
