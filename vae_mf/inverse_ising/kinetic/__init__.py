"""Estimators of couplings from time series."""
