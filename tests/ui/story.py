"""What a new user does, in a real window: from the zip to an exported performance, with pictures in out/ui/.

python -m tests.ui.story --blender PROGRAM --zip FILE --out FOLDER [--light]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from .screen import Missing, Screen
from .window import Window

ROOT = Path(__file__).resolve().parents[2]
JOBS = "addon('host.jobs')"
OWNER = "bpy.context.scene.a2p.armature"
TAKES = f"len({OWNER}.a2p.takes)"


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
        w.do("_, a, _ = region('PREFERENCES'); a.ui_type = 'VIEW_3D'")
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
        time.sleep(1)
        w.screen.write("performer")
        time.sleep(1)
        w.screen.key("Return")
        w.wait(f"{OWNER} is not None", 60)
        w.do("ctx = within('VIEW_3D')\nwith ctx: bpy.ops.view3d.view_selected()")
        w.do("region('VIEW_3D')[1].spaces.active.shading.color_type = 'MATERIAL'")
        time.sleep(1)

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

    def _generate(self) -> None:
        place = self.window.find("a2p.generate(")
        self.window.screen.move(*place)
        time.sleep(0.3)
        self.window.screen.click(*place)

    def generate_and_cancel(self) -> None:
        w = self.window
        w.do("s = bpy.context.scene.a2p; s.quality = 'FINAL'; s.takes = 8")
        started = time.monotonic()
        self._generate()
        w.wait(f"{JOBS}.running() is not None", 30)
        self.figures["click to progress, with finding and moving (s)"] = time.monotonic() - started
        w.wait(f"{JOBS}.running() is None or {JOBS}.running().fraction > 0.02", 120)
        w.screen.save(self.work / "progress.png")
        began = time.monotonic()
        w.screen.key("Escape")
        w.wait(f"{JOBS}.running() is None", 20)
        self.figures["Esc to cancelled (s)"] = time.monotonic() - began
        assert w.ask(TAKES) == 0
        w.do("s = bpy.context.scene.a2p; s.quality = 'DRAFT'; s.takes = 2")

    def generate(self) -> None:
        self._generate()
        self.window.wait(f"{TAKES} == 2", 400)
        time.sleep(1.5)
        assert self.window.ask(f"{OWNER}.a2p.playing != 0")

    def switch_takes(self) -> None:
        w = self.window
        before = w.ask(f"{OWNER}.a2p.playing")
        x, y = w.find(".a2p.active")  # the list of takes, its first row
        w.screen.click(x, y + 21)
        w.wait(f"{OWNER}.a2p.playing != {before}", 20)
        w.press("a2p.compare_takes")
        w.wait(f"{OWNER}.a2p.playing == {before}", 20)

    def _open_panel(self, above: str, shows: str, rows: float) -> None:
        """Click a closed panel's title, `rows` lines under a button, until it shows what it holds."""
        w = self.window
        x, y = w.find(above)
        for extra in (0, 9, -9, 18, -18):
            w.screen.click(x, y + 27 * rows + extra)
            time.sleep(0.8)
            if any(shows in name for name in w.buttons(wanted=shows)):
                self.title = (x, y + 27 * rows + extra)
                return
        raise AssertionError(f"the panel with {shows} does not open")

    def drag_slider(self) -> None:
        w = self.window
        self._open_panel(".note", "a2p.jaw", 1.3)
        name = w.ask("addon('properties_sliders').FACE[0]")
        x, y = w.find(f"a2p.{name}")
        before = w.ask(f"bpy.context.window_manager.a2p.{name}")
        w.screen.drag((x, y), (x + 60, y))
        w.wait(f"abs(bpy.context.window_manager.a2p.{name} - {before!r}) > 1e-3", 20)
        w.screen.save(self.work / "slider.png")

    def guide_lane(self) -> None:
        """The next guide pose five frames later, and the frames around it made anew."""
        w = self.window
        x, y = self.title
        w.screen.click(x, y)  # the sliders' panel closes, so that the guide lane's title lies two rows lower
        time.sleep(0.8)
        for extra in (0, 9, -9):
            w.screen.click(x, y + 52 + extra)
            time.sleep(0.8)
            if any("a2p.guide_step" in name for name in w.buttons(wanted="a2p.guide_step")):
                break
        w.press("a2p.guide_step(step=1)")
        time.sleep(1)
        frame = w.ask("bpy.context.scene.frame_current")
        w.do(f"bpy.context.scene.frame_set({frame} + 5)")
        w.press("a2p.guide_move")
        time.sleep(1)
        place = w.find("a2p.fill_again")
        w.screen.click(*place)
        w.wait(f"{JOBS}.running() is not None", 30)
        w.wait(f"{JOBS}.running() is None", 200)
        time.sleep(1)

    def bake(self) -> None:
        self.window.press("a2p.bake(")
        self.window.wait(f"{OWNER}.animation_data.action is not None", 60)
        time.sleep(1)

    def undo_redo(self) -> None:
        w = self.window
        x, y, _width, height = w.ask("rectangle('VIEW_3D', 'WINDOW')")
        w.screen.move(x + 300, y + height / 2)
        w.screen.key("ctrl+z")
        time.sleep(2)
        assert w.ask(TAKES) == 2
        w.screen.key("ctrl+shift+z")
        time.sleep(2)
        assert w.ask(f"{OWNER}.animation_data.action is not None")

    def save_and_reload(self) -> None:
        w, file = self.window, self.work / "shot.blend"
        notes = "[(t.seed, t.seconds) for t in bpy.context.scene.a2p.armature.a2p.takes]"
        before = w.ask(notes)
        w.do(f"bpy.ops.wm.save_as_mainfile(filepath={str(file)!r})")
        w.do(f"bpy.ops.wm.open_mainfile(filepath={str(file)!r})")
        time.sleep(2)
        assert w.ask(notes) == before

    def export(self) -> None:
        w, file = self.window, self.work / "shot.fbx"
        w.do(f"with within('VIEW_3D'): bpy.ops.a2p.export('EXEC_DEFAULT', filepath={str(file)!r})", 240)
        assert file.stat().st_size > 10_000

    def come_and_go(self) -> None:
        """Enabled and disabled a hundred times: nothing is left over."""
        w = self.window
        state = (
            "[sum(len(getattr(bpy.app.handlers, n)) for n in dir(bpy.app.handlers) "
            "if isinstance(getattr(bpy.app.handlers, n), list)), len(dir(bpy.types)), "
            "__import__('threading').active_count(), len(getattr(bpy.types.VIEW3D_MT_add.draw, '_draw_funcs', []))]"
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
        save_and_reload,
        export,
        come_and_go,
    )


def tell(program: str, archive: Path, out: Path, light: bool = False) -> int:
    """Run the story; pictures and report.json land in `out`. 0 when every step came true."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    report: dict[str, object] = {"steps": {}}
    failed = False
    with tempfile.TemporaryDirectory(prefix="a2p-ui-") as folder:
        work = Path(folder)
        _line(work / "line.wav")
        screen = Screen()
        try:
            worker = {"A2P_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
            window = Window(program, screen, work / "profile", worker)
            report["blender"] = window.ask("bpy.app.version_string")
            report["python"] = window.ask("__import__('sys').version.split()[0]")
            if light:
                window.do(
                    "import glob, os\nf = glob.glob(os.path.join(bpy.utils.resource_path('LOCAL'), 'scripts/presets/"
                    "interface_theme/*ight*.xml'))\nbpy.ops.script.execute_preset(filepath=f[0], "
                    "menu_idname='USERPREF_MT_interface_theme_presets')"
                )
            story = Story(window, archive, work)
            for number, step in enumerate(Story.steps, 1):
                started, verdict = time.monotonic(), "ok"
                try:
                    step(story)
                except AssertionError as error:
                    failed, verdict = True, f"FAILED: {str(error).strip().splitlines()[-1] if str(error) else error!r}"
                    (out / f"{number:02d}_{step.__name__}.txt").write_text(traceback.format_exc())
                screen.save(out / f"{number:02d}_{step.__name__}.png")
                for extra in work.glob("*.png"):
                    shutil.move(extra, out / f"{number:02d}_{extra.name}")
                report["steps"][step.__name__] = verdict
                report["figures"] = story.figures
                print(f"[ui] {step.__name__}: {verdict} ({time.monotonic() - started:.0f} s)", flush=True)
                (out / "report.json").write_text(json.dumps(report, indent=1))
            code = window.close()
            failed |= code != 0
            report["exit code"] = code
        finally:
            screen.close()
            shutil.copy(work / "profile" / "blender.log", out / "blender.log")
    if "Traceback" in (out / "blender.log").read_text():
        failed, report["log"] = True, "has a traceback"
    (out / "report.json").write_text(json.dumps(report, indent=1))
    return int(failed)


def _line(path: Path) -> None:
    """Three seconds of the bundled line as a wav, which every Blender reads."""
    import soundfile

    sound, rate = soundfile.read(ROOT / "a2p_core" / "assets" / "human_line.flac")
    soundfile.write(path, sound[: 3 * rate], rate)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--blender", required=True)
    parser.add_argument("--zip", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--light", action="store_true", help="in Blender's light theme")
    options = parser.parse_args()
    try:
        return tell(options.blender, options.zip.resolve(), options.out.resolve(), options.light)
    except Missing as reason:
        print(f"[ui] Skipped: {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
