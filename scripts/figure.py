"""The command ``vae-mf figure``."""

from vae_mf.commands.main import script

main = script("figure")

if __name__ == "__main__":
    main()
