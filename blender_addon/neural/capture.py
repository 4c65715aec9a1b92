"""A capture set of a character, rendered with Cycles: one picture after the other, so that it can be gone on with.

The set's layout stands in the core's `render/capture_set.py`, what it shows in `render/capture_plan.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from ..core import core
from ..host import files
from ..host.bake import bake
from ..host.shape_keys import face_meshes
from ..host.targets import meshes_of
from . import space, studio, surface

UserError = core("errors").UserError
clips = core("clip")
sets = core("render.capture_set")
plans = core("render.capture_plan")
png = core("render.png")
figure = core("render.figure")
humanoid = core("skeleton.humanoid")


@dataclass(frozen=True)
class Options:
    """poses: how many; size: of the square pictures, pixels; samples: Cycles' a pixel, denoised unless told otherwise;
    unwrap: make UVs; body_map: which rig this is, None to find out; limit: stop after so many new pictures; film: these
    frames of the first clip one after the other, in place of poses."""

    poses: int = 72
    size: int = 512
    samples: int = 24
    denoise: bool = True
    unwrap: bool = False
    body_map: object = None
    limit: int | None = None
    film: range | None = None


def capture(
    armature: bpy.types.Object,
    motion: list[clips.MotionClip],
    folder: Path,
    options: Options,
    progress: Callable[[int, int, float], None],
) -> int:
    """Make or go on with the set in `folder`; the number of pictures it lacks still. progress(done, all, seconds).

    Raises `UserError` when the character cannot be captured, or the folder holds the set of another one.
    """
    scene = bpy.context.scene
    meshes = [mesh for mesh in meshes_of(armature) if not mesh.hide_render and len(mesh.data.polygons)]
    if not meshes:
        raise UserError(f"The armature '{armature.name}' carries no mesh that renders. Choose another one.")
    where = space.of_character(armature, options.body_map)
    if not studio.is_lit(scene):
        studio.light(scene, where)
    if options.unwrap:
        surface.unwrap(meshes)
    if not (folder / "capture.json").is_file():
        _prepare(armature, meshes, where, motion, folder, options)
    about, codes, quats, root = _opened(folder, meshes, options)
    _key(armature, meshes, codes, quats, root, options)
    return _render(scene, where, folder, about, options, progress)


def _prepare(armature, meshes, where, motion, folder: Path, options: Options) -> None:
    """Everything but the pictures: poses, cameras, and the mesh in each pose."""
    plan = plans.film(motion, options.film) if options.film else plans.poses(motion, options.poses)
    neutral, shapes, joints = _at_rest(armature, meshes, where, options)
    triangles, uvs = surface.topology(meshes)
    topology = sets.Topology(triangles, uvs, neutral, joints, shapes)
    sets.check_uvs(topology)
    _key(armature, meshes, plan.codes, plan.quats, plan.root, options)
    posed = []
    for pose in range(len(plan.kinds)):
        bpy.context.scene.frame_set(1 + pose)
        posed.append(surface.vertices(meshes, where))
    turns, places = figure.posed(joints, plan.quats, plan.root)
    shots = []
    for pose, camera in plans.views(plan):
        K, Rt = plans.aim(camera, turns[pose], places[pose], options.size, options.size)
        shots.append(plans.shot(pose, camera, K, Rt))
    about = {
        **{"width": options.size, "height": options.size, "character": armature.name},
        **{"renderer": f"Cycles {bpy.app.version_string}", "samples": options.samples, "denoise": options.denoise},
        "poses": [{"kind": kind, "held_out": held} for kind, held in zip(plan.kinds, plan.held_out)],
        "cameras": {camera.name: {"held_out": camera.held_out} for camera in plans.cameras()},
        "lights": studio.lamps(bpy.context.scene, where),
    }
    poses = {"codes": plan.codes, "quats": plan.quats, "root": plan.root, "vertices": np.stack(posed)}
    sets.write(folder, about, topology, poses, shots)


def _at_rest(armature, meshes, where, options: Options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mesh in the T pose [V, 3], what each code of 1 adds to it [E, V, 3], and the joints' places [J, 3]."""
    count = len(humanoid.HUMANOID)
    codes = np.concatenate([np.zeros((1, 52)), np.eye(52)]).astype(np.float32)
    quats = np.tile(np.float32([1, 0, 0, 0]), (53, count, 1))
    root = np.tile(humanoid.HUMANOID.offsets[0], (53, 1)).astype(np.float32)
    found = _key(armature, meshes, codes, quats, root, options)
    points = []
    for frame in range(53):
        bpy.context.scene.frame_set(1 + frame)
        points.append(surface.vertices(meshes, where))
        if frame == 0:
            joints = _joints(armature, where, found)
    return points[0], np.stack(points[1:]) - points[0], joints


def _joints(armature, where: np.ndarray, bones: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Where the joints are [J, 3]; one that the rig lacks keeps its canonical way from its parent."""
    skeleton = humanoid.HUMANOID
    to_space = np.linalg.inv(where) @ np.array(armature.matrix_world)
    found: list[np.ndarray] = []
    for joint, (name, parent) in enumerate(zip(skeleton.names, skeleton.parents)):
        if name in bones:
            head = np.array([*armature.pose.bones[bones[name][0]].head, 1.0])
            found.append((to_space @ head)[:3])
        else:
            found.append(skeleton.offsets[joint] + (found[parent] if parent >= 0 else 0.0))
    return np.array(found, np.float32)


def _key(armature, meshes, codes, quats, root, options: Options) -> dict[str, tuple[str, ...]]:
    """Key the poses from frame 1 on; the bones of each joint."""
    clip = clips.MotionClip(codes, quats, root, fps=bpy.context.scene.render.fps / bpy.context.scene.render.fps_base)
    bake(clip, armature, face_meshes(armature), start_frame=1, body_map=options.body_map, need_face=False)
    from ..host import armature as armatures

    rest = armatures.read_rest(armature)
    retarget = core("retarget")
    own = None if options.body_map is None else [options.body_map]
    return retarget.detect(rest.names, rest.parents, own, heads=rest.heads).map.bones


def _opened(folder: Path, meshes, options: Options):
    """The set's description and poses. Raises `UserError` when it is another character's."""
    about = json.loads((folder / "capture.json").read_text())
    triangles, uvs = surface.topology(meshes)
    empty = np.zeros((0, 3), np.float32)
    if sets.Topology(triangles, uvs, empty, empty, empty).hash != about["topology"]:
        raise UserError(
            f"{folder} holds the capture of another mesh: topology or UVs have changed since. Give -o another folder."
        )
    if about["width"] != options.size:
        raise UserError(f"{folder} holds pictures of {about['width']} pixels. Give --size {about['width']}.")
    with np.load(folder / "poses.npz") as file:
        return about, file["codes"], file["quats"], file["root"]


def _render(scene, where, folder: Path, about: dict, options: Options, progress) -> int:
    """The pictures that are not there yet."""
    camera = bpy.data.objects.new("A2P capture", bpy.data.cameras.new("A2P capture"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    render = scene.render
    render.engine, render.film_transparent, render.use_persistent_data = "CYCLES", True, True
    render.resolution_x = render.resolution_y = about["width"]
    render.resolution_percentage = 100
    scene.cycles.samples, scene.cycles.use_denoising = options.samples, options.denoise
    scene.cycles.use_adaptive_sampling = True
    if scene.world is not None and scene.world.name.startswith(studio.WORLD):
        scene.view_settings.view_transform = "Standard"
    settings = render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
    shots, passing = about["shots"], folder / "passing.png"
    left = [shot for shot in shots if not (folder / "images" / f"{shot['image']}.png").is_file()]
    for number, shot in enumerate(left[: options.limit]):
        begun = time.monotonic()
        scene.frame_set(1 + shot["pose"])
        space.place_camera(camera, where, np.array(shot["K"]), np.array(shot["Rt"]), about["width"], about["height"])
        render.filepath = str(passing)
        with files.quiet():
            bpy.ops.render.render(write_still=True)
        png.write(folder / "images" / f"{shot['image']}.png", _pixels(passing))
        seconds = time.monotonic() - begun
        with open(folder / "times.jsonl", "a") as log:
            log.write(json.dumps({"image": shot["image"], "seconds": round(seconds, 2)}) + "\n")
        progress(len(shots) - len(left) + number + 1, len(shots), seconds)
    passing.unlink(missing_ok=True)
    return max(0, len(left) - (options.limit if options.limit is not None else len(left)))


def _pixels(path: Path) -> np.ndarray:
    """A picture of Blender's as [H, W, 4] uint8, the first row on top."""
    image = bpy.data.images.load(str(path))
    try:
        image.alpha_mode = "CHANNEL_PACKED"  # else Blender multiplies colours with their alpha
        width, height = image.size
        values = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(values)
    finally:
        bpy.data.images.remove(image)
    return np.flipud(np.round(values.reshape(height, width, 4) * 255).astype(np.uint8))
