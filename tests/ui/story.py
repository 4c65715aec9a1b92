"""Runs the story in a window and tells what came of it: pictures and a report in out/ui/.

python -m tests.ui.story --blender PROGRAM --zip FILE --out FOLDER [--from STEP] [--to STEP]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
import traceback
from pathlib import Path

from . import looks
from .screen import Missing, Screen
from .steps import Story
from .window import Window

ROOT = Path(__file__).resolve().parents[2]
NAMES = [step.__name__ for step in Story.steps]


def tell(program: str, archive: Path, out: Path, options: argparse.Namespace) -> int:
    """Run the steps from `options.start` to `options.end`; pictures and report.json land in `out`.

    0 when every step came true. Each step leaves the file as it was after it, so that a later run starts there.
    """
    first, last = NAMES.index(options.start), NAMES.index(options.end)
    if not first:
        shutil.rmtree(out, ignore_errors=True)
    work = out / "work"
    shutil.rmtree(work / "profile", ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    (out / "error.txt").unlink(missing_ok=True)
    _lines(work)
    file = out / "report.json"
    report = json.loads(file.read_text()) if first and file.is_file() else {"steps": {}, "figures": {}}
    screen, failed = Screen(), False
    try:
        window = Window(program, screen, work / "profile", {"A2P_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"})
        report["blender"] = window.ask("bpy.app.version_string")
        report["python"] = window.ask("__import__('sys').version.split()[0]")
        story = Story(window, archive, work)
        if first:
            story.install()
            window.do(f"bpy.ops.wm.open_mainfile(filepath={str(_file(work, first - 1))!r})")
            time.sleep(2)
        for number in range(first, last + 1):
            step, started, verdict = Story.steps[number], time.monotonic(), "ok"
            try:
                step(story)
            except AssertionError as error:
                failed, verdict = True, f"FAILED: {str(error).strip().splitlines()[-1] if str(error) else error!r}"
                with (out / "error.txt").open("a") as log:
                    log.write(f"{step.__name__}\n{traceback.format_exc()}\n")
            window.settle()
            screen.save(out / f"{number + 1:02d}_{step.__name__}.png")
            for extra in work.glob("*.png"):
                extra.replace(out / f"{number + 1:02d}_{extra.name}")
            report["steps"][step.__name__] = verdict
            report["figures"] |= {name: round(value, 4) for name, value in story.figures.items()}
            file.write_text(json.dumps(report, indent=1))
            print(f"[ui] {step.__name__}: {verdict} ({time.monotonic() - started:.0f} s)", flush=True)
            if step not in Story.steps[-2:]:  # after these the add-on is gone
                window.do(f"bpy.ops.wm.save_as_mainfile(filepath={str(_file(work, number))!r}, copy=True)")
        report["exit code"] = window.close()
        failed |= report["exit code"] != 0
    finally:
        screen.close()
        shutil.copy(work / "profile" / "blender.log", out / "blender.log")
    if last + 1 == len(NAMES) and not failed:
        report["looks"] = {one: looks.see(program, archive, work / "shot.blend", out, one) for one in looks.LOOKS}
    report["traceback in the log"] = "Traceback" in (out / "blender.log").read_text()
    file.write_text(json.dumps(report, indent=1))
    return int(failed or report["traceback in the log"])


def _file(work: Path, number: int) -> Path:
    return work / f"after_{NAMES[number]}.blend"


def _lines(folder: Path) -> None:
    """Three seconds of the bundled line and the next three as wav files, which every Blender reads."""
    import soundfile

    sound, rate = soundfile.read(ROOT / "a2p_core" / "assets" / "human_line.flac")
    soundfile.write(folder / "line.wav", sound[: 3 * rate], rate)
    soundfile.write(folder / "answer.wav", sound[3 * rate : 6 * rate], rate)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--blender", required=True)
    parser.add_argument("--zip", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--from", dest="start", choices=NAMES, default=NAMES[0], help="go on from an earlier run's file"
    )
    parser.add_argument("--to", dest="end", choices=NAMES, default=NAMES[-1], help="the last step")
    options = parser.parse_args()
    try:
        return tell(options.blender, options.zip.resolve(), options.out.resolve(), options)
    except Missing as reason:
        print(f"[ui] Skipped: {reason}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
