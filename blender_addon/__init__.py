"""A2P for Blender: a voice becomes a performance on the animator's own character.

`register` costs milliseconds; everything heavy happens in the worker. `unregister` undoes all of it. README.md beside
this file lists the operators and says where things are kept.
"""

from __future__ import annotations

import sys

import bpy

from . import ops, preferences, properties, properties_sliders, properties_takes, translations, ui
from .host import jobs, log_file, overrides, runtime
from .ui import found, ghosts

_classes = (*preferences.classes, *ops.classes, *ui.classes)
_command = None


@bpy.app.handlers.persistent
def _on_load(_path: object) -> None:
    """Another file is being opened: the jobs and their worker belong to the one that closes."""
    jobs.drop()
    for name in ("ghosts", "sliders", "takes"):  # if they were used at all
        module = sys.modules.get(f"{__package__}.host.{name}")
        if module is not None:
            module.forget()


@bpy.app.handlers.persistent
def _on_other_state(_scene: object, _depsgraph: object = None) -> None:
    """A file was opened, or a step undone or redone: the sliders are those of the take that plays now."""
    if not any(len(thing.a2p.takes) for thing in bpy.data.objects) and f"{__package__}.host.sliders" not in sys.modules:
        return  # nothing to show; numpy need not be loaded for it
    from .host import sliders, targets

    if bpy.context.scene is not None and bpy.context.view_layer is not None:
        sliders.show(targets.character(bpy.context))


@bpy.app.handlers.persistent
def _on_save(_path: object) -> None:
    overrides.stow()


@bpy.app.handlers.persistent
def _on_loaded(_path: object) -> None:
    overrides.unstow()


def _command_line(arguments: list[str]) -> int:
    """`blender -b FILE --command a2p …`"""
    from . import cli

    return cli.main(arguments)


_of_overrides = (
    (bpy.app.handlers.save_pre, _on_save),
    (bpy.app.handlers.load_post, _on_loaded),
)
_handlers = (
    (bpy.app.handlers.load_pre, _on_load),
    *(_of_overrides if overrides.NEEDED else ()),
    (bpy.app.handlers.load_post, _on_other_state),
    (bpy.app.handlers.undo_post, _on_other_state),
    (bpy.app.handlers.redo_post, _on_other_state),
)
_menus = (("VIEW3D_MT_add", ops.add_performer.menu), ("SEQUENCER_MT_context_menu", ops.voice.menu))


def register() -> None:
    global _command
    properties.register()
    properties_takes.register()
    properties_sliders.register()
    for cls in _classes:
        bpy.utils.register_class(cls)
    for name, draw in _menus:
        getattr(bpy.types, name).append(draw)
    for handlers, function in _handlers:
        handlers.append(function)
    ghosts.register()
    translations.register()
    ops.presets.register()
    log_file.open_log()
    _command = bpy.utils.register_cli_command("a2p", _command_line)


def unregister() -> None:
    global _command
    jobs.drop()
    if runtime.current is not None:
        runtime.current.cancel()
    log_file.close_log()
    ops.presets.unregister()
    translations.unregister()
    bpy.utils.unregister_cli_command(_command)
    _command = None
    found.stop()
    ghosts.unregister()
    for handlers, function in _handlers:
        handlers.remove(function)
    for name, draw in _menus:
        getattr(bpy.types, name).remove(draw)
    for cls in reversed(_classes):
        bpy.utils.unregister_class(cls)
    properties_sliders.unregister()
    properties_takes.unregister()
    properties.unregister()
