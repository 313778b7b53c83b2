"""The command ``vae-mf collect``."""

from vae_mf.commands.main import script

main = script("collect")

if __name__ == "__main__":
    main()
