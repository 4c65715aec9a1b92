"""Training: one loop, one file per network. `python -m a2p_core.train NETWORK --corpus DIR --out DIR`."""
