"""What goes wrong while a take is generated, in a real window: one sentence, nothing lost, none left running."""

from __future__ import annotations

import os
import signal

from .asks import JOBS, OWNER, TAKES

_FAILURE = "addon('ops.base').last_failure"


def _begin(story) -> None:
    """Generate is pressed, and the worker has begun."""
    w = story.window
    w.do("s = bpy.context.scene.a2p; s.quality, s.takes, s.partner_source = 'FINAL', 1, 'NONE'; s.show_ghosts = False")
    story.generate_pressed()
    w.wait(f"{JOBS}.running() is None or {JOBS}.running().fraction > 0", 60)
    assert w.ask(f"{JOBS}.running() is not None"), "it was done too soon"


def undo_meanwhile(story) -> None:
    """Ctrl Z while a take is made: the step is undone, the take comes all the same."""
    w = story.window
    w.do(f"{OWNER}.location.z = 1; bpy.ops.ed.undo_push(message='Moved up')")
    before = w.ask(TAKES)
    _begin(story)
    x, y, _width, height = w.ask("rectangle('VIEW_3D', 'WINDOW')")
    w.screen.move(x + 300, y + height / 2)
    w.screen.key("ctrl+z")
    w.wait(f"{OWNER}.location.z == 0", 20)
    w.wait(f"{TAKES} == {before + 1}", 120)
    assert w.ask(f"{JOBS}.running() is None and not {_FAILURE}")


def worker_killed(story) -> None:
    """One sentence and Copy Details in the tab; the next job has a new worker."""
    w = story.window
    before = w.ask(TAKES)
    _begin(story)
    os.kill(w.ask("addon('host.worker').get().pid"), signal.SIGKILL)
    w.wait(f"{JOBS}.running() is None and {_FAILURE}", 30)
    w.settle()
    w.screen.save(story.work / "killed.png")
    w.screen.key("Escape")  # Blender's own box with the sentence
    w.press("a2p.copy_details")
    w.wait("'killed' in bpy.context.window_manager.clipboard", 10)
    assert w.ask(TAKES) == before
    _begin(story)
    w.wait(f"{TAKES} == {before + 1}", 120)
    assert not w.ask(f"bool({_FAILURE})")


def character_gone(story) -> None:
    """Character and strip are deleted meanwhile: said, and the file holds nothing new."""
    w = story.window
    w.do(f"bpy.ops.wm.save_as_mainfile(filepath={str(story.work / 'before.blend')!r}, copy=True)")
    _begin(story)
    w.do(f"bpy.data.objects.remove({OWNER}); bpy.context.scene.sequence_editor_clear()")
    actions = w.ask("len(bpy.data.actions)")
    w.wait(f"{JOBS}.running() is None", 120)
    w.settle()
    w.screen.save(story.work / "gone.png")
    w.screen.key("Escape")
    assert w.ask("len(bpy.data.actions)") == actions
    w.do(f"bpy.ops.wm.open_mainfile(filepath={str(story.work / 'before.blend')!r})")
    w.wait(f"{OWNER} is not None", 60)


def file_closed(story) -> None:
    """Another file is opened meanwhile: the job is over and its worker with it."""
    w = story.window
    _begin(story)
    w.do(f"bpy.ops.wm.open_mainfile(filepath={str(story.work / 'before.blend')!r})")
    w.wait(f"{JOBS}.running() is None and processes() == 0", 20)
