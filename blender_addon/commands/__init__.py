"""The verbs of the command line inside Blender, a file each: `add(commands)` tells argparse, the function does it."""

from . import demo, perform, retarget, rig

VERBS = (perform, retarget, rig, demo)
