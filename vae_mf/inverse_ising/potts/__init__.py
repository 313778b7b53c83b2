"""Estimators of couplings between sites of q states: aligned sequences, answers to questions of several choices."""
