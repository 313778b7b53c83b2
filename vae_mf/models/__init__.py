"""Variational autoencoders: encoders, decoders, priors and critics, in plain torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "critic": ["DenseCritic", "LatticeCritic"],
        "decoders": ["CNNDecoder", "LinearDecoder", "MLPDecoder", "SharedDecoder"],
        "directors.networks": [
            "BinghamCNNDecoder",
            "DirectorCNNEncoder",
            "DirectorLinearEncoder",
            "DirectorMLPEncoder",
            "SharedBinghamDecoder",
        ],
        "encoders": ["CNNEncoder", "LinearEncoder", "MLPEncoder"],
        "priors.autoregressive": ["AutoregressiveSplinePrior"],
        "priors.mixture": ["MixturePrior"],
        "priors.spline": ["GaussianPrior", "SplinePrior"],
        "vae": ["VAE"],
    },
)
