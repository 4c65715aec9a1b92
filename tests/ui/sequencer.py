"""The same tab in the sequencer, and the menu of its strips."""

from __future__ import annotations

import time

from .asks import JOBS, TAKES


def from_the_sequencer(story) -> None:
    """A strip is clicked and becomes the voice; its own menu generates, and the tab's Cancel stops that."""
    w, editor = story.window, "SEQUENCE_EDITOR"
    w.do("_, a, _ = region('VIEW_3D'); a.ui_type = 'SEQUENCE_EDITOR'")
    time.sleep(1)
    w.do("_, a, _ = region('SEQUENCE_EDITOR'); a.spaces.active.show_region_ui = True")
    time.sleep(1)
    w.do("region('SEQUENCE_EDITOR')[2].active_panel_category = 'A2P'")
    w.do(
        "with within('SEQUENCE_EDITOR'): bpy.ops.sequencer.view_all(); bpy.ops.sequencer.select_all(action='DESELECT')"
    )
    w.do("s = bpy.context.scene.a2p; s.voice_source, s.quality, s.takes = 'STRIPS', 'FINAL', 8")
    w.settle()
    x0, y0, _width, height = w.ask(f"rectangle({editor!r}, 'WINDOW')")
    x, y = w.ask(f"list(region({editor!r}, 'WINDOW')[2].view2d.view_to_region(30, 1.4))")
    x, y = x0 + x, y0 + height - y
    w.screen.click(x, y)
    w.press("a2p.use_selected_strips", editor)
    w.wait("bpy.context.scene.a2p.voice_strips == 'line.wav'", 10)
    w.screen.save(story.work / "strips.png")
    before = w.ask(TAKES)
    w.screen.click(x, y, button=3)
    w.settle()
    w.screen.save(story.work / "strip_menu.png")
    w.screen.key("End")  # the last entry
    w.screen.key("Return")
    w.wait(f"{JOBS}.running() is not None", 20)
    w.press("a2p.cancel", editor)
    w.wait(f"{JOBS}.running() is None", 20)
    assert w.ask(TAKES) == before
    assert w.ask("bpy.context.scene.a2p.voice_strip") == "line.wav"
    w.settle()
    w.screen.save(story.work / "tab.png")
    w.do("s.quality, s.takes = 'DRAFT', 2")
    w.do("_, a, _ = region('SEQUENCE_EDITOR'); a.ui_type = 'VIEW_3D'")
    time.sleep(1)
