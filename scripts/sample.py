"""Draw equilibrium samples of a system into a sealed Zarr store, and report on them."""

from vae_mf.commands.sample import main

if __name__ == "__main__":
    main()
