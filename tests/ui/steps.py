"""What a new user does, in a real window: from the zip to an exported performance."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from . import repository, sequencer, trouble
from .asks import JOBS, KEYS, OWNER, PLAYING, SCALE, TAKES, TURN
from .window import Window


class Story:
    """The steps in order. Each leaves the window as the next one finds it."""

    def __init__(self, window: Window, archive: Path, work: Path):
        self.window, self.archive, self.work = window, archive, work
        self.figures: dict[str, float] = {}

    def install(self) -> None:
        w = self.window
        w.do(
            "bpy.ops.extensions.package_install_files(repo='user_default', "
            f"filepath={str(self.archive)!r}, enable_on_install=True, overwrite=True)"
        )
        assert w.ask("'bl_ext.user_default.a2p' in bpy.context.preferences.addons")
        w.do("_, a, _ = region('VIEW_3D'); a.ui_type = 'PREFERENCES'")
        w.do(
            "bpy.context.preferences.active_section = 'ADDONS'; bpy.context.window_manager.addon_search = 'A2P';"
            "import addon_utils; bpy.ops.preferences.addon_expand(module='bl_ext.user_default.a2p')"
        )
        time.sleep(2)

    def sidebar(self) -> None:
        w = self.window
        w.do("_, a, _ = region('PREFERENCES', 'WINDOW'); a.ui_type = 'VIEW_3D'")
        time.sleep(1)
        w.do("_, a, _ = region('VIEW_3D'); a.spaces.active.show_region_ui = True")
        time.sleep(1)
        w.do("region('VIEW_3D')[2].active_panel_category = 'A2P'")
        w.do("bpy.data.objects.remove(bpy.data.objects['Cube'])")
        time.sleep(1)

    def add_performer(self) -> None:
        w = self.window
        x, y, _width, height = w.ask("rectangle('VIEW_3D', 'WINDOW')")
        w.screen.move(x + 400, y + height / 2)
        time.sleep(0.5)
        w.screen.key("shift+a")
        w.settle()
        w.screen.write("performer")
        w.settle()
        w.screen.save(self.work / "menu.png")
        w.screen.key("Return")
        w.wait(f"{OWNER} is not None", 60)
        w.do("from mathutils import Euler\nv = region('VIEW_3D')[1].spaces.active\nv.shading.color_type = 'MATERIAL'")
        w.do("v.region_3d.view_rotation = Euler((1.45, 0, 0.5)).to_quaternion()")
        w.do("with within('VIEW_3D'): bpy.ops.view3d.view_selected()")

    def voice(self) -> None:
        """The line goes into the sequencer, under the 3D view."""
        w, file = self.window, self.work / "line.wav"
        w.do(
            "t = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == 'DOPESHEET_EDITOR')\n"
            "t.ui_type = 'SEQUENCE_EDITOR'\n"
            "ws = bpy.context.window_manager.windows[0].workspace\n"
            "if hasattr(ws, 'sequencer_scene'): ws.sequencer_scene = bpy.context.window_manager.windows[0].scene"
        )
        time.sleep(1)
        w.do(
            "add = bpy.ops.sequencer.sound_strip_add\n"
            "still = {'move_strips': False} if 'move_strips' in add.get_rna_type().properties else {}\n"
            f"with within('SEQUENCE_EDITOR'): add(filepath={str(file)!r}, frame_start=1, channel=1, **still)\n"
            "with within('SEQUENCE_EDITOR'): bpy.ops.sequencer.view_all()"
        )
        time.sleep(1)

    def generate_pressed(self, timed: str = "") -> None:
        """Press Generate; `timed` names the figure that says when progress is first drawn."""
        w = self.window
        place = w.find("a2p.generate(")
        w.screen.move(*place)
        time.sleep(0.5)
        if timed:
            w.do(f"drawn({timed!r}, {JOBS!r} + '.running() is not None')")
        clicked = w.screen.click(*place)
        if timed:
            w.wait(f"{timed!r} in seen", 60)
            self.figures[f"{timed} (s)"] = w.ask(f"seen[{timed!r}]") - clicked

    def generate_and_cancel(self) -> None:
        w = self.window
        w.do("s = bpy.context.scene.a2p; s.quality = 'FINAL'; s.takes = 8")
        w.do("clock('host.jobs:Job', 'tick', 'tick'); clock('ops.base:JobOperator', '_show', 'show')")
        self.generate_pressed("click to progress")
        w.wait(f"{JOBS}.running() is None or {JOBS}.running().fraction > 0.02", 120)
        w.screen.save(self.work / "progress.png")
        w.do(f"drawn('cancelled', {JOBS!r} + '.running() is None')")
        w.do("seen.pop('cancelled', None)")
        pressed = w.screen.key("Escape")
        w.wait("'cancelled' in seen", 20)
        self.figures["Esc to cancelled (s)"] = w.ask("seen['cancelled']") - pressed
        self.figures["UI tick, longest (ms)"] = 1e3 * (max(w.ask("spent['tick']")) + max(w.ask("spent['show']")))
        assert w.ask(TAKES) == 0
        w.do("s = bpy.context.scene.a2p; s.quality = 'DRAFT'; s.takes = 2")

    def generate(self) -> None:
        self.generate_pressed()
        self.window.wait(f"{TAKES} == 2", 400)
        assert self.window.ask(f"{OWNER}.a2p.playing != 0")

    def switch_takes(self) -> None:
        """By a click in the list, back by A/B, and once more while the timeline plays."""
        w = self.window
        w.do("clock('host.takes', 'play', 'switch')")
        before = w.ask(f"{OWNER}.a2p.playing")
        x, y = w.find(".a2p.active")  # the list of takes, its first row
        w.screen.click(x, y + 21 * w.ask(SCALE))
        w.wait(f"{OWNER}.a2p.playing != {before}", 20)
        w.press("a2p.compare_takes")
        w.wait(f"{OWNER}.a2p.playing == {before}", 20)
        w.do("with within('VIEW_3D'): bpy.ops.screen.animation_play()")
        w.do("with within('VIEW_3D'): bpy.ops.a2p.compare_takes()")
        assert w.ask("bpy.context.window_manager.windows[0].screen.is_animation_playing")
        assert w.ask(f"{OWNER}.a2p.playing != {before}")
        w.do("with within('VIEW_3D'): bpy.ops.screen.animation_cancel(restore_frame=False)")
        w.do("bpy.context.scene.frame_set(30)")
        self.figures["take switch, longest (s)"] = max(w.ask("spent['switch']"))

    def _open_panel(self, above: str, shows: str) -> tuple[int, int]:
        """Click the titles of the panels under a button, until one shows what it holds; others are closed again."""
        w, scale = self.window, self.window.ask(SCALE)
        w.settle()
        x, y = w.find(above)
        x0, y0, width, height = w.ask("rectangle('VIEW_3D')")
        if y > y0 + height / 2:  # room below for what opens
            w.screen.wheel(10)
            w.settle()
            x, y = w.find(above)
        bottom = y0 + height - 4
        row = round(y + 14 * scale)
        while row < min(y + 260 * scale, bottom):
            if w.under(x, row):  # a title is no button
                row += round(10 * scale)
                continue
            w.settle()
            before = w.screen.picture()
            w.screen.click(x, row)
            w.settle(3)
            below = range(round(row + 16 * scale), min(round(row + 100 * scale), bottom), round(12 * scale))
            if any(shows in w.under(x0 + 0.62 * width, place) for place in below):
                return x, row
            w.screen.move(x, row)
            w.settle()
            if (w.screen.picture() != before).any():
                w.screen.click(x, row)
                w.settle(3)
                row += round(8 * scale)
            row += round(10 * scale)
        raise AssertionError(f"the panel with {shows} does not open")

    def drag_slider(self) -> None:
        w = self.window
        self._open_panel("].note", "a2p.jaw")
        w.do("clock('host.sliders', 'moved', 'drag'); clock('host.sliders', 'settle', 'release')")
        w.do("until_drawn('host.sliders', 'moved', 'shown')")
        x, y = w.find("a2p.jaw")
        w.screen.drag((x - 20, y), (x + 10, y))
        w.wait("'release' in spent", 20)
        value = w.ask("bpy.context.window_manager.a2p.jaw")
        assert abs(value - 1) > 0.05, f"the slider was let go at {value}"
        kept = w.ask(f"__import__('json').loads({PLAYING}.sliders)['face']['jaw']")
        assert abs(kept - value) < 1e-3, f"the take keeps {kept}, the slider shows {value}"
        first, *rest = w.ask("spent['drag']")
        self.figures["slider drag, first move (s)"] = first
        self.figures["slider drag, later moves (s)"] = max(rest, default=first)
        for name, key in (("slider drag to the drawn view", "shown"), ("drawing that view alone", "shown alone")):
            times = sorted(w.ask(f"spent[{key!r}]"))
            self.figures |= {f"{name}, median (s)": times[len(times) // 2], f"{name}, longest (s)": times[-1]}
        self.figures["slider release of 3 s (s)"] = w.ask("spent['release']")[-1]
        w.settle()
        w.screen.save(self.work / "sliders.png")
        self._open_panel("a2p.reset_sliders", "a2p.shape")
        w.screen.save(self.work / "shapes.png")
        x, y = w.find("a2p.jaw")
        w.screen.click(x, y - 24 * w.ask(SCALE))  # the title above: closed again
        w.settle()

    def guide_lane(self) -> None:
        """The next guide pose five frames later, and the frames around it made anew."""
        w = self.window
        self._open_panel("].note", "a2p.show_ghosts")
        w.press("a2p.guide_step(step=1)")
        time.sleep(1)
        frame = w.ask("bpy.context.scene.frame_current")
        before = w.ask(f"[one.frame for one in {PLAYING}.guide]")
        w.do(f"bpy.context.scene.frame_set({frame} + 5)")
        w.press("a2p.guide_move")
        w.wait(f"[one.frame for one in {PLAYING}.guide] != {before!r}", 20)
        w.settle()
        w.screen.save(self.work / "guide.png")
        clip = f"hash({PLAYING}.clip)"
        was, turn = w.ask(clip), w.ask(TURN)
        w.press("a2p.fill_again")
        w.wait(f"{clip} != {was}", 200)
        w.wait(f"{JOBS}.running() is None", 60)
        w.settle()
        w.screen.save(self.work / "filled.png")
        assert w.ask(TURN) < max(3 * turn, 12), f"a joint turns {w.ask(TURN)} degrees a frame, {turn} before"

    def bake(self) -> None:
        """The take that plays once more, with fewer keys."""
        w = self.window
        self.keys = [w.ask(KEYS)]
        w.do("bpy.context.scene.a2p.use_reduction = True")
        w.press("a2p.bake(")
        w.wait(f"{KEYS} < {self.keys[0]}", 60)
        self.keys.append(w.ask(KEYS))

    def undo_redo(self) -> None:
        """Ctrl Z brings the keys back that the bake saved, Ctrl Shift Z takes them away again."""
        w = self.window
        x, y, _width, height = w.ask("rectangle('VIEW_3D', 'WINDOW')")
        w.screen.move(x + 300, y + height / 2)
        time.sleep(0.3)
        w.screen.key("ctrl+z")
        w.wait(f"{KEYS} == {self.keys[0]}", 20)
        w.screen.key("ctrl+shift+z")
        w.wait(f"{KEYS} == {self.keys[1]}", 20)
        assert w.ask(TAKES) == 2

    def save_and_reload(self) -> None:
        w, file = self.window, self.work / "shot.blend"
        notes = "[(t.seed, t.seconds) for t in bpy.context.scene.a2p.armature.a2p.takes]"
        before = w.ask(notes)
        w.do(f"bpy.ops.wm.save_as_mainfile(filepath={str(file)!r})")
        w.do(f"bpy.ops.wm.open_mainfile(filepath={str(file)!r})")
        w.wait(f"{OWNER} is not None", 60)
        assert w.ask(notes) == before
        assert w.ask(f"bool({PLAYING}.clip)")

    def export(self) -> None:
        w, file = self.window, self.work / "shot.fbx"
        w.press("a2p.export(")
        w.settle()
        w.screen.save(self.work / "dialog.png")
        w.screen.key("Escape")
        w.do(
            "for one in list(bpy.context.window_manager.windows)[1:]:\n"
            "  with bpy.context.temp_override(window=one): bpy.ops.wm.window_close()"
        )
        w.do(f"with within('VIEW_3D'): bpy.ops.a2p.export('EXEC_DEFAULT', filepath={str(file)!r})", 240)
        assert file.stat().st_size > 10_000

    def two_people(self) -> None:
        """A woman is added and answers from a file; both are made at once and turn to each other."""
        w, other = self.window, "bpy.data.objects['Ada']"
        w.do("with within('VIEW_3D'): bpy.ops.a2p.add_performer(name='Ada', figure='WOMAN')")
        w.do(f"{other}.location.x = 1.2; s = bpy.context.scene.a2p; s.other_armature = {other}; s.takes = 1")
        w.do(f"s.partner_source = 'FILE'; s.partner_file = {str(self.work / 'answer.wav')!r}")
        self._open_panel("a2p.add_lip_pin", "a2p.other_armature")  # under the guide lane
        w.press("a2p.generate_pair")
        w.wait(f"len({other}.a2p.takes) == 1 and {TAKES} == 3", 300)
        one, two = (w.ask(f"-{who}.matrix_world[0][1]") for who in (OWNER, other))
        assert one > 0.9 and two < -0.9, f"they do not face each other: {one}, {two}"
        w.do("bpy.context.scene.frame_set(45)")
        w.do("from mathutils import Euler; v = region('VIEW_3D')[1].spaces.active.region_3d")
        w.do("v.view_rotation = Euler((1.45, 0, 0)).to_quaternion()")
        w.do("with within('VIEW_3D'): bpy.ops.object.select_all(action='DESELECT')")
        w.do(f"{OWNER}.select_set(True); {other}.select_set(True); bpy.context.scene.a2p.show_ghosts = False")
        w.do("with within('VIEW_3D'): bpy.ops.view3d.view_selected()")

    def come_and_go(self) -> None:
        """Enabled and disabled a hundred times: nothing is left over."""
        w = self.window
        state = (
            "[sum(len(getattr(bpy.app.handlers, n)) for n in dir(bpy.app.handlers) "
            "if isinstance(getattr(bpy.app.handlers, n), list)), len(dir(bpy.types)), "
            "__import__('threading').active_count(), len(getattr(bpy.types.VIEW3D_MT_add.draw, '_draw_funcs', [])), "
            "processes(), timers()]"
        )
        w.do("import addon_utils; m = 'bl_ext.user_default.a2p'; addon_utils.disable(m)")
        before = w.ask(state)
        w.do("for _ in range(100): addon_utils.enable(m); addon_utils.disable(m)", 600)
        assert w.ask(state) == before, (before, w.ask(state))

    steps: tuple[Callable, ...] = (
        install,
        sidebar,
        add_performer,
        voice,
        generate_and_cancel,
        generate,
        switch_takes,
        drag_slider,
        guide_lane,
        bake,
        undo_redo,
        sequencer.from_the_sequencer,
        save_and_reload,
        export,
        two_people,
        trouble.undo_meanwhile,
        trouble.worker_killed,
        trouble.character_gone,
        trouble.file_closed,
        come_and_go,
        repository.update,
    )
