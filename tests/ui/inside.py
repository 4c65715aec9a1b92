"""Runs inside Blender's window: takes lines of Python from stdin, runs them between events, answers on stdout."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FunctionType

import bpy

bpy.context.preferences.view.show_splash = False
bpy.context.preferences.filepaths.use_auto_save_temporary_files = False
lines: queue.SimpleQueue[str] = queue.SimpleQueue()
names: dict[str, object] = {"bpy": bpy}


def region(editor: str, kind: str = "UI"):
    """The largest area of that editor, and its region."""
    found = [
        (area.width * area.height, window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.ui_type == editor or area.type == editor
    ]
    if not found:
        raise LookupError(f"no {editor} is open")
    _, window, area = max(found, key=lambda one: one[0])
    return window, area, next(r for r in area.regions if r.type == kind)


def rectangle(editor: str, kind: str = "UI") -> list[int]:
    """x, y (from the top), width, height in pixels."""
    window, _area, place = region(editor, kind)
    return [place.x, window.height - place.y - place.height, place.width, place.height]


def hovered(editor: str, kind: str = "UI") -> str:
    """What is under the mouse: an operator's call, or a property's path; empty for neither."""
    window, area, place = region(editor, kind)
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=window, area=area, region=place):
        manager.clipboard = ""
        for copy, arguments in (
            (bpy.ops.ui.copy_python_command_button, {}),
            (bpy.ops.ui.copy_data_path_button, {"full_path": True}),
        ):
            if copy.poll():
                copy(**arguments)
                return manager.clipboard
    return ""


def within(editor: str, kind: str = "WINDOW"):
    """A context manager: operators run as if the mouse were in that editor."""
    window, area, place = region(editor, kind)
    return bpy.context.temp_override(window=window, area=area, region=place)


def addon(name: str = ""):
    """A module of the installed add-on."""
    import importlib

    return importlib.import_module("bl_ext.user_default.a2p" + (f".{name}" if name else ""))


spent: dict[str, list[float]] = {}
seen: dict[str, float] = {}
_watches: list = []


def clock(module: str, name: str, key: str) -> None:
    """From now on `spent[key]` gathers the seconds that each call of a function of the add-on takes."""
    owner = addon(module.split(":")[0])
    owner = getattr(owner, module.split(":")[1]) if ":" in module else owner
    real = getattr(owner, name)

    def timed(*arguments, **options):
        began = time.perf_counter()
        try:
            return real(*arguments, **options)
        finally:
            spent.setdefault(key, []).append(time.perf_counter() - began)

    setattr(owner, name, timed)


def drawn(key: str, condition: str, kind: str = "UI") -> None:
    """Note in `seen[key]` when a region of the 3D view is first drawn while the condition holds (`time.monotonic`)."""

    def look() -> None:
        if key not in seen and eval(condition, names):
            seen[key] = time.monotonic()

    seen.pop(key, None)
    _watches.append(bpy.types.SpaceView3D.draw_handler_add(look, (), kind, "POST_PIXEL"))


def until_drawn(module: str, name: str, key: str) -> None:
    """From now on `spent[key]` gathers the seconds from a call of that function until the 3D view is drawn after it,
    and `spent[key + " alone"]` those of the drawing alone, which are Blender's."""
    owner, waiting, began = addon(module), [], [0.0]
    real = getattr(owner, name)

    def noted(*arguments, **options):
        waiting.append(time.perf_counter())
        return real(*arguments, **options)

    def drawn_now() -> None:
        if waiting:
            spent.setdefault(key, []).append(time.perf_counter() - waiting[0])
            spent.setdefault(key + " alone", []).append(time.perf_counter() - began[0])
            waiting.clear()

    def drawing() -> None:
        began[0] = time.perf_counter()

    setattr(owner, name, noted)
    _watches.append(bpy.types.SpaceView3D.draw_handler_add(drawn_now, (), "WINDOW", "POST_PIXEL"))
    _watches.append(bpy.types.SpaceView3D.draw_handler_add(drawing, (), "WINDOW", "PRE_VIEW"))


def processes() -> int:
    """How many processes Blender has started that still run (Linux)."""
    return sum(len(file.read_text().split()) for file in Path("/proc/self/task").glob("*/children"))


def timers() -> int:
    """How many timers of the add-on are still to come; `bpy.app.timers` lists none, so its functions are asked."""
    import gc

    ours = [one for one in gc.get_objects() if isinstance(one, FunctionType) and ".a2p." in (one.__module__ or "")]
    return sum(bpy.app.timers.is_registered(one) for one in ours)


names.update(processes=processes, timers=timers)
names.update(spent=spent, seen=seen, clock=clock, drawn=drawn, until_drawn=until_drawn)
names.update(region=region, rectangle=rectangle, hovered=hovered, within=within, addon=addon)


def read() -> None:
    for line in sys.stdin:
        lines.put(line)


def serve() -> float:
    while not lines.empty():
        code, wants = json.loads(lines.get())
        try:
            answer = {"value": eval(code, names) if wants else exec(code, names)}
            text = json.dumps(answer, default=str)
        except Exception:
            text = json.dumps({"error": traceback.format_exc()})
        print(f"A2P-UI {text}", flush=True)
    return 0.02


threading.Thread(target=read, daemon=True).start()
bpy.app.timers.register(serve, first_interval=0.5, persistent=True)
print('A2P-UI {"value": "ready"}', flush=True)
