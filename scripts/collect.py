"""Gather runs into one table and one figure, averaged over seeds; runs that are not finished are listed as such."""

from vae_mf.commands.collect import main

if __name__ == "__main__":
    main()
