"""Training a character's neural avatar (`render/`) from a capture set."""
