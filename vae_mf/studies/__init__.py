"""Tables behind the figures of the papers."""
