"""One character, exported for every engine, and the readers: made once for all tests.

The readers are installed by `python build.py test --readers`, which tells where in A2P_READERS.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "addon")]

from a2p_core.face.spaces import ARKIT  # noqa: E402 - found through the line above

READERS = os.environ.get("A2P_READERS", "")
FRAMES = 45


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, where the readers are not."""
    reason = "" if READERS and Path(READERS).is_dir() else "readers are not installed: python build.py test --readers"
    reason = reason or ("" if shutil.which("node") else "node is not installed")
    for item in items:
        if reason and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_unconfigure(config: pytest.Config) -> None:
    if "bpy" in sys.modules:  # Blender 4.2's module crashes in its own clean-up
        sys.stdout.flush()
        os._exit(getattr(config, "_code", 0))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config._code = int(exitstatus)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory):
    """(folder with a file for every preset, the clip). The clip's first frame is the T pose with a still face."""
    import bpy
    import standin

    import blender_addon

    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    try:
        folder = tmp_path_factory.mktemp("exported")
        clip = standin.clip(FRAMES)
        clip.joint_quats[0] = (1, 0, 0, 0)
        clip.face_weights[0] = 0.0
        bpy.context.scene.render.fps = 30
        armature, face = standin.character()
        _make_finer(face)
        settings = bpy.context.scene.a2p
        settings.armature = armature
        bpy.ops.a2p.bake(filepath=str(clip.save(folder / "clip.npz")), start_frame=1)
        for preset in ("unreal", "unity", "godot", "fbx", "usd"):
            bpy.ops.a2p.export(filepath=str(folder / preset), preset=preset)
        bpy.ops.a2p.export(filepath=str(folder / "alone"), preset="unreal", use_mesh=False, face="livelink")
        return folder, clip
    finally:
        blender_addon.unregister()


@pytest.fixture(scope="session")
def of_rigify(tmp_path_factory: pytest.TempPathFactory):
    """(folder with a file of a character on Rigify's controls for each engine, its clip, what its bones do in Blender).

    The last is bone → world rotations [T, 4] of the rig's own deform bones, none of which has a key.
    """
    import bpy
    import rigged
    import stage

    import blender_addon
    from a2p_core.skeleton import rotations
    from blender_addon.host.samples import sample

    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    try:
        folder = tmp_path_factory.mktemp("rigify")
        rig = rigged.performer_on_rigify()
        clip = stage.motion(FRAMES)
        clip.joint_quats[0] = (1, 0, 0, 0)
        clip.face_weights[0] = 0.0
        bpy.context.scene.render.fps = 30
        bpy.context.scene.a2p.armature = rig
        bpy.ops.a2p.bake(filepath=str(clip.save(folder / "clip.npz")), start_frame=1)
        for preset in ("unreal", "godot", "usd"):
            bpy.ops.a2p.export(filepath=str(folder / preset), preset=preset)
        seen = sample(bpy.context.scene, range(1, FRAMES + 1), rig)
        turns = rotations.from_matrix((seen.world[:, None] @ seen.pose)[..., :3, :3])
        names = [bone.name for bone in rig.data.bones if bone.use_deform]
        return folder, clip, {name: turns[:, seen.bones.index(name)] for name in names}
    finally:
        blender_addon.unregister()


def _make_finer(face) -> None:
    """More vertices than shape keys, a material and a UV map, as any real face has: FBX2glTF falls over others."""
    import bmesh
    import bpy

    face.shape_key_clear()
    grid = bmesh.new()
    grid.from_mesh(face.data)
    bmesh.ops.subdivide_edges(grid, edges=grid.edges, cuts=3, use_grid_fill=True)
    grid.to_mesh(face.data)
    grid.free()
    face.data.materials.append(bpy.data.materials.new("Skin"))
    face.data.uv_layers.new(name="UVMap")
    face.shape_key_add(name="Basis", from_mix=False)
    for index, name in enumerate(ARKIT):
        block = face.shape_key_add(name=name, from_mix=False)
        block.data[index].co.z += 0.02
        block.value = 0.0  # Blender 5.0 begins with 1


def node(script: str, *arguments: object) -> str:
    command = ["node", HERE / script, *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sampled(path: Path, out: Path, fps: float = 30.0) -> dict:
    """What three.js makes of an FBX or GLB: see sample.mjs."""
    node("sample.mjs", path, fps, FRAMES, out)
    return json.loads(out.read_text(encoding="utf-8"))


def sampled_usd(path: Path, out: Path, fps: float = 30.0) -> dict:
    """What Pixar's library makes of a USD file: see sample_usd.py. In a process of its own, for Blender holds another
    build of that library."""
    command = [sys.executable, HERE / "sample_usd.py", path, fps, FRAMES, out]
    environment = {**os.environ, "PYTHONPATH": str(Path(READERS).parent / "python")}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text(encoding="utf-8"))


def through_autodesk(path: Path, out: Path) -> Path:
    """An FBX read by Autodesk's SDK and written again as GLB, at 30 frames a second."""
    system = {"Linux": "Linux", "Darwin": "Darwin", "Windows": "Windows_NT"}[platform.system()]
    tool = Path(READERS) / "fbx2gltf" / "bin" / system / ("FBX2glTF.exe" if os.name == "nt" else "FBX2glTF")
    tool.chmod(0o755)
    command = [tool, "--binary", "--anim-framerate", "bake30", "--input", path, "--output", out.with_suffix("")]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def target_names(glb: Path) -> list[str]:
    """The morph targets' names in a GLB of FBX2glTF, which keeps them as names of accessors."""
    data = glb.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    gltf = json.loads(data[20 : 20 + length])
    targets = next(mesh["primitives"][0]["targets"] for mesh in gltf["meshes"] if "targets" in mesh["primitives"][0])
    return [gltf["accessors"][target["POSITION"]]["name"] for target in targets]
