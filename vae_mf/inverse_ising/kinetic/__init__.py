"""Estimators of couplings from time series of the kinetic Ising model."""
