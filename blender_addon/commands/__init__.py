"""The verbs of the command line inside Blender, a file each: `add(commands)` tells argparse, the function does it."""

from . import avatar, bake_lines, capture, demo, export, perform, retarget, rig

VERBS = (perform, retarget, capture, avatar, export, rig, demo, bake_lines)
