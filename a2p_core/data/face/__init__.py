"""The speech-to-face corpus, rebuilt by ``python -m a2p_core.data.face``. No torch here.

Pipeline: `engines` and `human` give sound with phone times → `coarticulation` turns phones into mouth curves →
`upper_face` adds lids, brows and gaze → `strips` lays turns of two people on one clock → `augment` spoils the sound →
`build` writes shards → `reader` reads them.
"""
