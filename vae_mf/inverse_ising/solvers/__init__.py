"""Optimisers, regressions and standard errors behind the estimators."""
