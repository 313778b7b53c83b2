"""Benchmarks whose answers are known, and the estimators that they compare."""
