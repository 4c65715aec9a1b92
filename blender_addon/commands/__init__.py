"""The verbs of the command line inside Blender, a file each: `add(commands)` tells argparse, the function does it."""

from . import capture, demo, perform, retarget, rig

VERBS = (perform, retarget, capture, rig, demo)
