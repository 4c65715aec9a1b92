"""A real Blender window that a test drives from outside: by mouse and keys, and by asking Blender what it sees."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path

from .screen import Screen

INSIDE = Path(__file__).with_name("inside.py")


class Window:
    """Blender with its window on `screen`, in a profile of its own (`folder`). Raises RuntimeError when it dies."""

    def __init__(self, program: str, screen: Screen, folder: Path, environment: dict[str, str], size=(1600, 1000)):
        self.program, self.screen, self.folder = program, screen, folder
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "DISPLAY": screen.display,
            "HOME": str(folder),
            "BLENDER_USER_RESOURCES": str(folder / "blender"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "XDG_RUNTIME_DIR": str(folder),
            "LC_ALL": "C.UTF-8",
            **environment,
        }
        geometry = ["--window-geometry", "0", "0", *map(str, size)]
        self._answers: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        self.log = open(folder / "blender.log", "w", encoding="utf-8")  # noqa: SIM115 - closed with the window
        self._process = subprocess.Popen(
            [program, *geometry, "--python", str(INSIDE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            bufsize=1,
            errors="replace",
        )
        threading.Thread(target=self._read, daemon=True).start()
        self._answer(180)
        self.do("pass", timeout_s=180)

    def _read(self) -> None:
        for line in self._process.stdout:
            if line.startswith("A2P-UI "):
                self._answers.put(json.loads(line[7:]))
            else:
                self.log.write(line)
                self.log.flush()
        self._answers.put(None)

    def _answer(self, timeout_s: float):
        try:
            answer = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            raise RuntimeError(f"Blender has not answered for {timeout_s:.0f} s") from None
        if answer is None:
            raise RuntimeError(f"Blender has ended; see {self.log.name}")
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]

    def _send(self, code: str, wants: bool, timeout_s: float):
        self._process.stdin.write(json.dumps([code, wants]) + "\n")
        return self._answer(timeout_s)

    def do(self, code: str, timeout_s: float = 120) -> None:
        """Run statements inside Blender."""
        self._send(code, False, timeout_s)

    def ask(self, expression: str, timeout_s: float = 120):
        """The value of an expression inside Blender, as JSON can tell it."""
        return self._send(expression, True, timeout_s)

    def wait(self, expression: str, seconds: float = 120) -> float:
        """Until the expression is true; how long it took. Raises AssertionError when it does not come true."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.ask(expression):
                return time.monotonic() - started
            time.sleep(0.03)
        raise AssertionError(f"not true after {seconds} s: {expression}")

    def settle(self, seconds: float = 12.0) -> None:
        """Until nothing moves any more: panels slide to their new places when what they show changes."""
        end, before = time.monotonic() + seconds, self.screen.picture()
        while time.monotonic() < end:
            for _ in range(3):
                time.sleep(0.2)
                self.do("pass")  # answered between events, so that a slow drawing is waited for
            now = self.screen.picture()
            if (now == before).all():
                return
            before = now

    def under(self, x: float, y: float, editor: str = "VIEW_3D") -> str:
        """What lies there; what Blender answers first may still be about where the mouse was."""
        self.screen.move(x, y)
        self.do("pass")
        time.sleep(0.04)
        return self.ask(f"hovered({editor!r})")

    def buttons(self, editor: str = "VIEW_3D", wanted: str = "") -> dict[str, tuple[int, int]]:
        """What the mouse finds in the sidebar: operator call or property path, and where it lies.

        Stops at the first one that contains `wanted`, when given.
        """
        x0, y0, width, height = self.ask(f"rectangle({editor!r})")
        step = round(15 * self.ask("bpy.context.preferences.system.ui_scale"))
        found: dict[str, tuple[int, int]] = {}
        for part in (0.62, 0.2, 0.94):  # most rows hold one thing
            x = round(x0 + 4 + part * (width - 30))
            for y in range(y0 + 8, y0 + height - 4, step):
                name = self.under(x, y, editor)
                if name and name not in found:
                    found[name] = self._places[name, editor] = (x, y + 2)
                    if wanted and wanted in name:
                        return found
        return found

    def find(self, wanted: str, editor: str = "VIEW_3D") -> tuple[int, int]:
        """Where a button is, the sidebar scrolled to it. Raises AssertionError when it is nowhere."""
        for place in [place for (name, where), place in self._places.items() if wanted in name and where == editor]:
            if wanted in self.under(*place, editor):
                return place
        x0, y0, width, height = self.ask(f"rectangle({editor!r})")
        seen: list[str] = []
        for scroll in (0, -60, 14, 14):
            if scroll:
                self.screen.move(x0 + width * 0.6, y0 + height / 2)
                time.sleep(0.1)
                self.screen.wheel(scroll)
                time.sleep(0.5)
            found = self.buttons(editor, wanted)
            seen += found
            if hit := next((place for name, place in found.items() if wanted in name), None):
                return hit
        raise AssertionError(f"no {wanted} in the sidebar; there are: {', '.join(sorted(set(seen)))}")

    def press(self, wanted: str, editor: str = "VIEW_3D") -> None:
        """Find a button and click it."""
        self.screen.click(*self.find(wanted, editor))

    def close(self) -> int:
        """End Blender as its user would; its exit code."""
        try:
            self._process.stdin.write(json.dumps(["bpy.ops.wm.quit_blender()", False]) + "\n")
            code = self._process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            code = self._process.wait()
        self.log.close()
        return code
