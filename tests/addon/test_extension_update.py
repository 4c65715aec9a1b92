"""From a local repository's index, over an older version: settings and rig maps are still there afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import standin

sys.path.append(str(standin.ROOT))
from a2p_core.version import VERSION
from build_extension import _blender_ext, build_zip

OLDER = "0.0.1"
IN_A_CLEAN_BLENDER = """
import os, sys, tomllib
import bpy

older, index, settings = sys.argv[1:]
module = "bl_ext.ours.a2p"
preferences = bpy.context.preferences
preferences.system.use_online_access = True  # the index is a file: nothing leaves this machine
repo = preferences.extensions.repos.new(name="Ours", module="ours", remote_url=index)
repo.use_remote_url = True
bpy.ops.extensions.package_install_files(repo="ours", filepath=older, enable_on_install=True)

def version():
    import importlib, pathlib
    folder = pathlib.Path(importlib.import_module(module).__file__).parent
    return tomllib.loads((folder / "blender_manifest.toml").read_text())["version"]

print("BEFORE", version())
own = preferences.addons[module].preferences
own.python, own.device = "/my/python", "cpu"
bpy.context.scene.a2p.seed = 77
map_file = os.path.join(settings, "mine.yaml")
open(map_file, "w").write("kept")
number = list(preferences.extensions.repos).index(repo)
assert bpy.ops.extensions.repo_sync(repo_index=number) == {"FINISHED"}
assert bpy.ops.extensions.package_install(repo_index=number, pkg_id="a2p") == {"FINISHED"}
print("AFTER", version())
own = preferences.addons[module].preferences
print("KEPT", own.python, own.device, bpy.context.scene.a2p.seed, open(map_file).read())
print("WORKS", bpy.ops.a2p.add_performer() == {"FINISHED"})
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def zips(tmp_path_factory) -> tuple[Path, Path]:
    """An older zip, and a repository folder with the present one and its index."""
    folder = tmp_path_factory.mktemp("repo")
    new = build_zip(standin.ROOT, folder / "new")
    older = folder / "older.zip"
    with zipfile.ZipFile(new) as source, zipfile.ZipFile(older, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "blender_manifest.toml":
                data = data.replace(f'version = "{VERSION}"'.encode(), f'version = "{OLDER}"'.encode(), 1)
            target.writestr(name, data)
    _blender_ext("server-generate", "--repo-dir", str(folder / "new"))
    return older, folder / "new"


def test_an_update_keeps_settings_and_maps(zips, tmp_path):
    older, repository = zips
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path / "profile"), "A2P_RIGS": str(tmp_path)}
    environment.pop("PYTHONPATH", None)
    arguments = [older, (repository / "index.json").as_uri(), tmp_path]
    command = [sys.executable, "-c", IN_A_CLEAN_BLENDER, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"BEFORE {OLDER}" in done.stdout and f"AFTER {VERSION}" in done.stdout
    assert "KEPT /my/python cpu 77 kept" in done.stdout and "WORKS True" in done.stdout
