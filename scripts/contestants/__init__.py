"""The samplers of this package and their rivals, one file per subject; `benchmark_samplers.py` runs them."""
