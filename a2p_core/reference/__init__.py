"""Audio2Photoreal's own networks at the paper's sizes (arXiv 2401.01885), for those who have its data and weights.

They load a user's own copy of the released checkpoints (CC BY-NC 4.0; none is shipped), train on the released data
set's layout and give what the released networks give. Blocks that are the same as ours come from `diffusion/`.
"""
