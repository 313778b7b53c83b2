"""Priors p(z|T) of the latent variables."""
