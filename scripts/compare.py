"""The command ``vae-mf compare``."""

from vae_mf.commands.main import script

main = script("compare")

if __name__ == "__main__":
    main()
