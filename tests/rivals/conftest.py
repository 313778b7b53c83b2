"""Importing this file puts its folder, with `word_models`, on the path."""
