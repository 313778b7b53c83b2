"""Directors: Bingham laws, decoders and encoders."""
