"""Draw the figures of a run again from its saved tables, without computing anything."""

from vae_mf.commands.figure import main

if __name__ == "__main__":
    main()
