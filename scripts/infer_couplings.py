"""Infer Ising couplings from a file of configurations or a store, by one estimator or by all."""

from vae_mf.commands.infer_couplings import main

if __name__ == "__main__":
    main()
