"""The command ``vae-mf infer-couplings``."""

from vae_mf.commands.main import script

main = script("infer-couplings")

if __name__ == "__main__":
    main()
