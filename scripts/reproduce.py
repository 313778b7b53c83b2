"""Make a figure of a paper again: run its stages, compute its tables, draw it."""

from vae_mf.commands.reproduce import main

if __name__ == "__main__":
    main()
