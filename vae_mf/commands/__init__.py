"""The commands of `vae-mf` and of `scripts/`."""
