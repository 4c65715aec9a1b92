"""Figures of a model on speech it never learned from. `a2p evaluate face` prints them.

`speech` names the held-out speech, `systems` are what makes a mouth from it (the model, baselines, the rules
themselves), `mouth` measures, `table` prints.
"""
