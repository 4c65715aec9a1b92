"""Writes rigs.json: names, parents and rest heads of the characters' armatures, for tests without Blender.

Run with a Python that has bpy: python tests/core/data/make_rigs.py CHARACTERS_FOLDER
"""

import json
import math
import sys
from pathlib import Path

import bpy  # isort: skip - addon_utils is there only after it
import addon_utils


def rig(armature: bpy.types.Object) -> dict:
    bones = list(armature.data.bones)
    index = {bone.name: i for i, bone in enumerate(bones)}
    heads = [tuple(bone.head_local) for bone in bones]
    extent = max(max(axis) - min(axis) for axis in zip(*heads))
    digits = max(0, 4 - math.floor(math.log10(extent)))
    return {
        "names": list(index),
        "parents": [index[bone.parent.name] if bone.parent else -1 for bone in bones],
        "heads": [[round(x, digits) for x in head] for head in heads],
    }


rigs = {}
for path in sorted(Path(sys.argv[-1]).glob("*.*")):
    if path.suffix not in (".fbx", ".glb"):
        continue
    bpy.ops.wm.read_factory_settings(use_empty=True)
    (bpy.ops.import_scene.fbx if path.suffix == ".fbx" else bpy.ops.import_scene.gltf)(filepath=str(path))
    for thing in bpy.data.objects:
        if thing.type == "ARMATURE":
            rigs[path.stem] = rig(thing)
bpy.ops.wm.read_factory_settings(use_empty=True)
addon_utils.enable("rigify", default_set=True)
bpy.ops.object.armature_human_metarig_add()
rigs["rigify_metarig"] = rig(bpy.context.object)
target = Path(__file__).with_name("rigs.json")
target.write_text(json.dumps(rigs, separators=(",", ":")) + "\n")
print(f"{target}: {', '.join(rigs)}, {target.stat().st_size} bytes")
sys.stdout.flush()
