"""Latent mean-field structure, discovered and decoded with variational autoencoders."""

__version__ = "0.1.0"
