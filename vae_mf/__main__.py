"""The console command, as ``python -m vae_mf``."""

from vae_mf.commands.main import main

if __name__ == "__main__":
    main()
