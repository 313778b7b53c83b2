"""Compiled parts that several samplers share: random bits, sign products, elementary functions."""
