"""One file per verb the animator knows."""

from . import (
    add_performer,
    bake,
    cancel,
    check_worker,
    export,
    fill,
    generate,
    generate_pair,
    guide,
    keep_takes,
    lip_pins,
    preview,
    rig_map,
    sliders,
    takes,
    voice,
)

classes = (
    *add_performer.classes,
    *bake.classes,
    *cancel.classes,
    *check_worker.classes,
    *export.classes,
    *fill.classes,
    *generate.classes,
    *generate_pair.classes,
    *guide.classes,
    *keep_takes.classes,
    *lip_pins.classes,
    *preview.classes,
    *rig_map.classes,
    *sliders.classes,
    *takes.classes,
    *voice.classes,
)
