"""Who may import what. a2p_core/README.md states the rules; this walks every import, also those in functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support import ROOT, environment

CORE = ROOT / "a2p_core"
FILES = sorted(path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py"))
TORCH = ("face/", "body/", "diffusion/", "train/", "evaluate/", "render/", "checkpoints/", "reference/")
TORCH_FILES = ("listening.py", "session.py", "refill.py", "jobs.py", "worker.py", "batch/forward.py", "batch/work.py",
               "data/face/retime.py")  # fmt: skip
MAKERS = ("data/", "train/", "evaluate/")  #: what a copy made for generation alone does without
BLENDER = ("clip.py", "errors.py", "spans.py", "face/spaces.py", "face/mouth.py", "skeleton/", "retarget/", "post/",
           "export/", "render/capture_set.py", "render/capture_plan.py", "render/png.py")  # fmt: skip
BLENDER_HAS = {*sys.stdlib_module_names, "numpy", "yaml"}


def in_blender(file: str) -> bool:
    return file.startswith(BLENDER) and file in FILES


@cache
def imports(file: str) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """(level, module, names) of every import in a file of the core; level 0 is absolute."""
    found = []
    for node in ast.walk(ast.parse((CORE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))
    return tuple(found)


def outside(file: str) -> set[str]:
    """Top-level packages that a file imports from outside the core."""
    return {module.split(".")[0] for level, module, _ in imports(file) if level == 0}


def inside(file: str) -> set[str]:
    """Files of the core that a file imports, the packages around them included."""
    found: set[str] = set()
    for level, module, names in imports(file):
        if level == 0:
            continue
        here = Path(file).parent.parts
        base = [*here[: len(here) - level + 1], *filter(None, module.split("."))]
        for target in ([*base], *([*base, name] for name in names)):
            for depth in range(len(target) + 1):
                stem = "/".join(target[:depth])
                found |= {f"{stem}.py", f"{stem}/__init__.py".lstrip("/")} & set(FILES)
    return found - {file}


@pytest.mark.parametrize("file", FILES)
def test_imports(file: str):
    packages = outside(file)
    assert "bpy" not in packages and "mathutils" not in packages, "the core knows no Blender"
    assert "a2p_core" not in packages, "inside the package imports are relative: in the extension it is a plain folder"
    if not file.startswith(TORCH) and file not in TORCH_FILES:
        assert "torch" not in packages and "safetensors" not in packages, "torch stays in the networks' rooms"
    if not file.startswith(MAKERS):
        assert not [f for f in inside(file) if f.startswith(MAKERS)], "corpora are for training and measuring alone"


@pytest.mark.parametrize("file", [file for file in FILES if in_blender(file)])
def test_blenders_half_needs_only_what_blender_has(file: str):
    seen, waiting = set(), {file}
    while waiting:
        now = waiting.pop()
        seen.add(now)
        assert outside(now) <= BLENDER_HAS, f"{file} reaches {now}, which imports {outside(now) - BLENDER_HAS}"
        waiting |= inside(now) - seen


def test_blenders_half_runs_without_the_rest():
    modules = [
        "a2p_core." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in FILES
        if in_blender(file)
    ]
    assert len(modules) > 8
    code = (
        "import sys, importlib\n"
        "sys.modules.update(dict.fromkeys(['torch', 'scipy', 'soundfile', 'safetensors']))\n"
        "for name in sys.argv[1:]: importlib.import_module(name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr


def test_files_fit_in_the_head():
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for folder in ("a2p_core", "blender_addon", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert not long
