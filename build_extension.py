"""Builds the Blender extension: `build_zip(root, out)`; run it with the Python of .venv.

The zip holds the add-on, the part of `a2p_core` that generation needs (its worker runs from inside the extension, with
the weights), and PyYAML as a pure-Python wheel, because Blender has no yaml and the wheels on PyPI are each compiled
for one Python. Blender's own tool builds and validates it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

#: parts of a2p_core that make corpora and weights, which generation never imports
LEFT_OUT = ("data", "train", "evaluate", "assets")


def build_zip(root: Path, out: Path) -> Path:
    """Assemble the extension under `build/`, build and validate the zip in the folder `out`; its path."""
    root, out = Path(root), Path(out)
    source = root / "build" / "extension"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "blender_addon", source, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    shutil.copytree(root / "a2p_core", source / "a2p_core", ignore=_leave_out(root / "a2p_core"))
    shutil.copy2(root / "LICENSE", source / "LICENSE")
    wheel = build_yaml_wheel(source / "wheels")
    manifest = source / "blender_manifest.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace("\n[permissions]", f'\nwheels = ["./wheels/{wheel.name}"]\n\n[permissions]', 1))

    out.mkdir(parents=True, exist_ok=True)
    _blender_ext("build", "--source-dir", str(source), "--output-dir", str(out))
    path = out / f"a2p-{_version(root)}.zip"
    _blender_ext("validate", str(path))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, validated by Blender's extension tool", flush=True)
    return path


def build_yaml_wheel(folder: Path) -> Path:
    """The installed PyYAML without its compiled part, as a wheel for every Python 3, with its licence."""
    found = importlib.metadata.distribution("PyYAML")
    package = Path(importlib.util.find_spec("yaml").origin).parent
    info = f"pyyaml-{found.version}.dist-info"
    files = {f"yaml/{path.name}": path.read_bytes() for path in sorted(package.glob("*.py"))}
    files[f"{info}/METADATA"] = found.read_text("METADATA").encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: a2p build_extension\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    for licence in found.files or ():
        if "LICENSE" in licence.name:
            files[f"{info}/licenses/LICENSE"] = Path(licence.locate()).read_bytes()
    records = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*records, f"{info}/RECORD,,", ""]).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"pyyaml-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # no dates: the same bytes each time
    return wheel


def _leave_out(core: Path):
    def ignore(folder: str, names: list[str]) -> set[str]:
        top = set(LEFT_OUT) if Path(folder) == core else set()
        return {name for name in names if name in top or name == "__pycache__" or name.endswith(".pyc")}

    return ignore


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _version(root: Path) -> str:
    names: dict[str, object] = {}
    exec((root / "a2p_core" / "version.py").read_text(encoding="utf-8"), names)
    return str(names["VERSION"])


def _blender_ext(*arguments: str) -> None:
    """Run Blender's extension tool out of the installed `bpy`."""
    bpy_folder = Path(importlib.util.find_spec("bpy").origin).parent
    tool = next(bpy_folder.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    done = subprocess.run([sys.executable, str(tool), *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Blender's extension tool refused to {arguments[0]}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    build_zip(here, here / "dist")
