"""The command ``vae-mf evaluate``."""

from vae_mf.commands.main import script

main = script("evaluate")

if __name__ == "__main__":
    main()
