"""The command ``vae-mf train``."""

from vae_mf.commands.main import script

main = script("train")

if __name__ == "__main__":
    main()
