"""Readers of file formats: every module here is found and registers its own."""
