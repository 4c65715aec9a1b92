"""Takes of library overrides in Blender 5 and later, which does not read them back: they lie with a scene in the file.

Every operator that may have changed them copies them there, for Blender's auto-save tells nobody, and so does saving;
after loading they go back to the characters. The takes of all other characters are Blender's own to keep.
"""

from __future__ import annotations

from typing import Any

import bpy

NEEDED = bpy.app.version >= (5, 0)
_DERIVED = {"rna_type", "active"}  #: `active` is what is selected in the list; it follows `playing`


def stow() -> None:
    """Copy the takes of every override to a scene of this file; nothing where Blender keeps them."""
    if not NEEDED:
        return
    scenes = [scene for scene in bpy.data.scenes if scene.library is None]
    for scene in scenes:
        scene.a2p_stowed.clear()
    for thing in bpy.data.objects:
        if scenes and thing.override_library is not None and len(thing.a2p.takes):
            one = scenes[0].a2p_stowed.add()
            one.owner = thing
            _copy(thing.a2p, one.character)


def unstow() -> None:
    """Give the takes back to their characters."""
    for scene in bpy.data.scenes:
        for one in scene.a2p_stowed:
            if one.owner is not None and not len(one.owner.a2p.takes):
                own = one.owner.a2p
                _copy(one.character, own)
                own.active = next((i for i, take in enumerate(own.takes) if take.uid == own.playing), -1)


def _copy(source: Any, target: Any) -> None:
    for prop in source.bl_rna.properties:
        name = prop.identifier
        if name in _DERIVED:
            continue
        if prop.type == "COLLECTION":
            getattr(target, name).clear()
            for one in getattr(source, name):
                _copy(one, getattr(target, name).add())
        elif not prop.is_readonly:
            setattr(target, name, getattr(source, name))
