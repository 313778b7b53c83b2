"""The command ``vae-mf benchmark``."""

from vae_mf.commands.main import script

main = script("benchmark")

if __name__ == "__main__":
    main()
