"""Importing this file puts its folder, with `ising_oracle`, on the path."""
