"""The samplers of this package and their rivals, one file per subject; `benchmarks/samplers.py` runs them."""
