"""The command ``vae-mf discover``."""

from vae_mf.commands.main import script

main = script("discover")

if __name__ == "__main__":
    main()
