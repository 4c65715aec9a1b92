"""One file per verb the animator knows."""

from . import add_performer, bake, cancel, check_worker, export_fbx, generate, preview, rig_map

classes = (
    *add_performer.classes,
    *bake.classes,
    *cancel.classes,
    *check_worker.classes,
    *export_fbx.classes,
    *generate.classes,
    *preview.classes,
    *rig_map.classes,
)
