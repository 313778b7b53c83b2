"""Report on any binary file: number of collective variables, patterns, verdict."""

from vae_mf.commands.discover import main

if __name__ == "__main__":
    main()
