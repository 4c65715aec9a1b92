"""A local repository of the zip, its index made by Blender's own tool, and an update over an older version."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

OLDER = "0.0.1"
_MODULE = "bl_ext.ours.a2p"


def older(archive: Path, target: Path) -> Path:
    """The same zip, calling itself `OLDER`."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as out:
        for name in source.namelist():
            data = source.read(name)
            if name == "blender_manifest.toml":
                data = re.sub(rb'(?m)^version = ".*"', f'version = "{OLDER}"'.encode(), data)
            out.writestr(name, data)
    return target


def update(story) -> None:
    """Installed from disk into a new repository, then updated from its index: settings and maps are kept."""
    w, folder = story.window, story.work / "repository"
    folder.mkdir(exist_ok=True)
    (folder / story.archive.name).write_bytes(story.archive.read_bytes())
    _blender(w.program, "validate", folder / story.archive.name)
    _blender(w.program, "server-generate", "--repo-dir", folder)
    w.do("p = bpy.context.preferences; p.system.use_online_access = True")  # the index is a file: no network
    url = (folder / "index.json").as_uri()
    w.do(f"r = p.extensions.repos.new(name='Ours', module='ours', remote_url={url!r}); r.use_remote_url = True")
    old = older(story.archive, story.work / "older.zip")
    w.do(f"bpy.ops.extensions.package_install_files(repo='ours', filepath={str(old)!r}, enable_on_install=True)")
    version = (
        "__import__('tomllib').loads(__import__('pathlib').Path(__import__('sys').modules"
        f"[{_MODULE!r}].__file__).with_name('blender_manifest.toml').read_text())['version']"
    )
    assert w.ask(version) == OLDER
    w.do(f"own = p.addons[{_MODULE!r}].preferences; own.python, own.device = '/my/python', 'cpu'")
    w.do("bpy.context.scene.a2p.seed = 77")
    w.do(f"import importlib, pathlib; c = importlib.import_module('{_MODULE}.core').core")
    w.do("rigs = c('retarget.map_files').user_folder(); rigs.mkdir(parents=True, exist_ok=True)")
    w.do("(rigs / 'mine.yaml').write_text('kept')")
    w.do("n = list(p.extensions.repos).index(next(one for one in p.extensions.repos if one.module == 'ours'))")
    w.do("bpy.ops.extensions.repo_sync(repo_index=n)")
    w.do("bpy.ops.extensions.package_install(repo_index=n, pkg_id='a2p')")
    assert w.ask(version) != OLDER, "it was not updated"
    assert w.ask(f"p.addons[{_MODULE!r}].preferences.python") == "/my/python"
    assert w.ask("bpy.context.scene.a2p.seed") == 77
    assert w.ask("(rigs / 'mine.yaml').read_text()") == "kept"
    assert w.ask("bpy.ops.a2p.add_performer() == {'FINISHED'}")
    w.do("_, a, _ = region('VIEW_3D'); a.ui_type = 'PREFERENCES'")
    w.do("bpy.context.preferences.active_section = 'EXTENSIONS'; bpy.context.window_manager.extension_search = 'A2P'")


def _blender(program: str, *command: object) -> None:
    done = subprocess.run(
        [program, "--background", "--command", "extension", *map(str, command)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
