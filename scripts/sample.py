"""The command ``vae-mf sample``."""

from vae_mf.commands.main import script

main = script("sample")

if __name__ == "__main__":
    main()
