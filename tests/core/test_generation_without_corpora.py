"""Generation stands on its own: it runs in a copy of the package that has no corpus builders and no training code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support import ROOT, environment

from a2p_core.clip import MotionClip


def test_generate_runs_with_data_and_train_deleted(sound: Path, untrained: Path, tmp_path: Path):
    leave_out = shutil.ignore_patterns("data", "train", "__pycache__", "models")
    shutil.copytree(ROOT / "a2p_core", tmp_path / "copy" / "a2p_core", ignore=leave_out)
    assert not (tmp_path / "copy" / "a2p_core" / "data").exists()
    out = tmp_path / "clip.npz"
    done = subprocess.run(
        [sys.executable, "-m", "a2p_core", "generate", sound, "--model", untrained, "--steps", "1", "-o", out],
        capture_output=True,
        text=True,
        cwd=tmp_path / "copy",
        env=environment(PYTHONPATH=str(tmp_path / "copy")),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert MotionClip.load(out).frames == 45
    done = subprocess.run(
        [sys.executable, "-m", "a2p_core", "train", "lips"],
        capture_output=True,
        text=True,
        cwd=tmp_path / "copy",
        env=environment(PYTHONPATH=str(tmp_path / "copy")),
        timeout=120,
    )
    assert done.returncode == 2 and "use a checkout" in done.stderr and "Traceback" not in done.stderr
