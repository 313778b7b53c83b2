"""Compare density models of spike words by the log-likelihood of held-out words: rivals, and VAEs from run folders."""

from vae_mf.commands.compare import main

if __name__ == "__main__":
    main()
