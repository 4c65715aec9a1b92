"""What a voice says, where somebody knows it: English words to phones with times (`align.py`), for the lips.

spoken = align(audio, "Now and then")            # [("n", 0.12, 0.19), …]
session = Session(dialogue, model, spoken)
"""
