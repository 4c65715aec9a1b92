"""A batch of real lines of 3 to 8 s: to clips with one worker and with two, to FBX on the performer, and where the time
goes (targets on two cores: 5 times real time to clips, 6 lines a minute to FBX, 1.7 times from one worker to two).

A2P_BENCH_LINES: how many lines (200).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from a2p_core.audio.decode import length_s
from a2p_core.data.paths import data_root

_LINES = int(os.environ.get("A2P_BENCH_LINES", "200"))


def run() -> None:
    voices = sorted((data_root() / "speech" / "speechocean762").rglob("*.opus"))[::7]
    voices = [path for path in voices if 3.0 <= length_s(path) <= 8.0][:_LINES]
    told = [_parts(voices[:8])]
    with tempfile.TemporaryDirectory(prefix="a2p-bench-") as folder:
        lines = Path(folder) / "lines.csv"
        lines.write_text("id,voice\n" + "".join(f"{path.stem},{path}\n" for path in voices), encoding="utf-8")
        took = {}
        for jobs, more in ((1, []), (2, []), (2, ["--outputs", "npz fbx", "--character", "performer"])):
            out = Path(folder) / f"{jobs}{len(more)}"
            command = [sys.executable, "-m", "a2p_core", "batch", lines, "-o", out, "--jobs", jobs, "--json", *more]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
            summary = json.loads(done.stdout)
            took[jobs, bool(more)] = summary["seconds"]
            rate = f"{summary['sound'] / summary['seconds']:.1f} times real time"
            what = f"FBX, {60 * summary['made'] / summary['seconds']:.1f} lines a minute" if more else f"clips, {rate}"
            told.append(f"{summary['made']} lines, {jobs} workers, {what} ({summary['seconds']:.0f} s)")
        told.append(f"two workers are {took[1, False] / took[2, False]:.2f} times one")
    print("\n".join(told), flush=True)


def _parts(voices: list[Path]) -> str:
    """Processor seconds of one forward pass, by what it is for."""
    import torch

    from a2p_core.audio.dialogue import Voice, load_dialogue
    from a2p_core.batch import forward
    from a2p_core.checkpoints.registry import open_model
    from a2p_core.session import Session

    torch.set_num_threads(1)
    spent: dict[str, float] = {}

    @contextmanager
    def counted(name: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        spent[name] = time.process_time() - begun

    with counted("load the model"):
        model = open_model("base", "cpu")
    with counted("decode"):
        heard = [load_dialogue(Voice(path)) for path in voices]
    frames = max(map(forward.frame_count, heard))
    with counted("hear"):
        for dialogue in heard:
            session = Session(forward.followed_by_silence(dialogue, frames), model)
            _ = session.face_condition, session.body_condition, session.heard_by(model.guide), session.accents
    slots = [forward.Asked(dialogue, seed) for seed, dialogue in enumerate(heard)]
    with counted("face, with hearing"):
        forward.perform(slots, frames, model, body=False)
    with counted("body, with hearing"):
        forward.perform(slots, frames, model, face=False)
    seconds = sum(dialogue.seconds for dialogue in heard)
    parts = ", ".join(f"{name} {own:.2f} s" for name, own in spent.items())
    return f"{len(voices)} lines together ({seconds:.0f} s of sound, one thread): {parts}"
