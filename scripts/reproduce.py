"""The command ``vae-mf reproduce``."""

from vae_mf.commands.main import script

main = script("reproduce")

if __name__ == "__main__":
    main()
