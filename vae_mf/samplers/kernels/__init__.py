"""Compiled parts that several samplers share: random bits and sign products."""
