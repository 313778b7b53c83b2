"""Data sets whose truth is known, and the judgement of what a discovery says about them."""
