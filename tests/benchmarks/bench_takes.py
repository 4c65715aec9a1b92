"""What an animator feels with 60 s of animation: switching takes, dragging sliders, letting go, the tick of a job.

python tests/benchmarks/bench_takes.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("BLENDER_USER_RESOURCES", tempfile.mkdtemp(prefix="a2p-bench-"))
os.environ.setdefault("A2P_PYTHON", sys.executable)
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="a2p-bench-")  # not the worker.json of whoever measures
ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "tests" / "addon"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import bpy  # noqa: E402
import cast  # noqa: E402
import standin  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon.host import jobs, lane, takes, worker  # noqa: E402

SECONDS, FPS = 60, 30


def run() -> None:
    """Print wall time and the processor's time of each, with the target."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    armature, _face = standin.character()
    scene = bpy.context.scene
    scene.render.fps, scene.a2p.armature = FPS, armature
    with tempfile.TemporaryDirectory() as folder:
        for shift in range(2):
            cast.keep(armature, Path(folder), shift, SECONDS * FPS)
    scene.frame_set(SECONDS * FPS // 2)
    sliders = bpy.context.window_manager.a2p

    def slide(name: str, *values: float) -> None:
        for value in values:
            setattr(sliders, name, value)

    def settle() -> None:
        bpy.ops.a2p.settle_sliders("EXEC_DEFAULT", True)

    shown(lambda: takes.play(armature, takes.find(armature, 1), scene), "switch takes", 0.1)
    bpy.ops.ed.undo_push(message="before")
    shown(lambda: bpy.ops.a2p.use_take("EXEC_DEFAULT", True, uid=2), "switch takes, undo step and all", 0.1)
    for name, label in (("jaw", "face"), ("energy", "body")):
        shown(lambda n=name: slide(n, 1.2), f"first move of a {label} slider", 0.1)
        shown(lambda n=name: slide(n, 1.3), f"next move of a {label} slider", 0.1)
        shown(settle, f"letting go of a {label} slider, undo step and all", 0.5)
        shown(lambda n=name: slide(n, 1.1), f"first move of the {label} slider in the next drag", 0.1)
        settle()
    shown(lambda: lane.rows(armature, takes.playing(armature), scene), "guide poses for the panel", 0.008)
    bpy.ops.a2p.guide_step(step=1)
    shown(lambda: bpy.ops.a2p.guide_pin(), "an edit of a guide pose", 0.1)
    shown(lambda: slide_shape(sliders, 0.5), "first move of a single shape's slider", 0.1)
    settle()
    _tick()
    _cancel()
    sys.stdout.flush()
    os._exit(0)  # Blender's module may crash in its own clean-up


def slide_shape(sliders: bpy.types.PropertyGroup, value: float) -> None:
    sliders.shapes["jawOpen"].multiply = value


def shown(work: Callable[[], object], label: str, target_s: float) -> None:
    wall, busy = time.perf_counter(), time.process_time()
    work()
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    print(f"{label:<50} {1e3 * wall:8.1f} ms, processor {1e3 * busy:7.1f} ms (target {1e3 * target_s:.0f})", flush=True)


def _tick() -> None:
    """The longest and the middle tick of a job that generates."""
    sound = {"path": str(standin.ASSETS / "dialogue.flac"), "channel": 0, "duration_s": 4.0}
    with tempfile.TemporaryDirectory() as folder:
        voices = [{"name": "line", "self": sound, "partner": None}]
        clicked = time.perf_counter()
        job = jobs.Job("generate", {"voices": voices, "model": "base", "takes": 1, "output": folder}).start()
        started, ticks, first = time.perf_counter() - clicked, [], None
        while not job.finished:
            time.sleep(0.02)
            busy = time.process_time()
            job.tick()
            ticks.append(time.process_time() - busy)
            if first is None and job.stage != "starting":
                first = time.perf_counter() - clicked
        jobs.drop()
    ticks.sort()
    print(f"the click itself {1e3 * started:.1f} ms; the worker's first progress after {first or 0:.2f} s (target 0.3)")
    print(f"a tick: {1e3 * ticks[len(ticks) // 2]:.2f} ms in the middle, {1e3 * ticks[-1]:.2f} at most (target 8)")


def _cancel() -> None:
    """How soon a job is over for the person who cancels it, and how soon its worker is free or gone."""
    sound = {"path": str(standin.ASSETS / "dialogue.flac"), "channel": 0}
    with tempfile.TemporaryDirectory() as folder:
        voices = [{"name": "line", "self": sound, "partner": None}]
        job = jobs.Job("generate", {"voices": voices, "model": "base", "takes": 9, "output": folder}).start()
        while job.stage != "face" and not job.finished:
            job.tick(0.1)
        process, pressed = worker.get(), time.perf_counter()
        job.cancel()
        over = time.perf_counter() - pressed
        while process.cancelling:
            time.sleep(0.005)
        free = time.perf_counter() - pressed
        jobs.drop()
    print(f"cancel: {1e3 * over:.1f} ms until the job is over, {1e3 * free:.0f} ms until its worker is (target 500)")


if __name__ == "__main__":
    run()
