"""Estimators of couplings against baselines on models whose couplings are known."""
