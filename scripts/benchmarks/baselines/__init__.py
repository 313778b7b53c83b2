"""Baselines of the benchmarks, one file per subject."""
