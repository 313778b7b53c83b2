"""The verdict on a trained run: is there a mean-field description, how much is missed, what are its parameters?"""

from vae_mf.commands.evaluate import main

if __name__ == "__main__":
    main()
