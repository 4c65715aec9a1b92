"""A2P for Blender: a voice becomes a performance on the animator's own character.

`register` costs milliseconds; everything heavy happens in the worker. `unregister` undoes all of it.
"""

from __future__ import annotations

import bpy

from . import ops, preferences, properties, ui
from .host import jobs

_classes = (*preferences.classes, *ops.classes, *ui.classes)
_command = None


@bpy.app.handlers.persistent
def _on_load(_path: object) -> None:
    """Another file is being opened: the job and its worker belong to the one that closes."""
    jobs.drop()


def _command_line(arguments: list[str]) -> int:
    """`blender -b FILE --command a2p …`"""
    from . import cli

    return cli.main(arguments)


def register() -> None:
    global _command
    properties.register()
    for cls in _classes:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_add.append(ops.add_performer.menu)
    bpy.app.handlers.load_pre.append(_on_load)
    _command = bpy.utils.register_cli_command("a2p", _command_line)


def unregister() -> None:
    global _command
    jobs.drop()
    bpy.utils.unregister_cli_command(_command)
    _command = None
    bpy.app.handlers.load_pre.remove(_on_load)
    bpy.types.VIEW3D_MT_add.remove(ops.add_performer.menu)
    for cls in reversed(_classes):
        bpy.utils.unregister_class(cls)
    properties.unregister()
