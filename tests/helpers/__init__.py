"""Models, oracles and commands that several tests share."""
