"""The motion sources: which files, on which skeleton, under which licence.

A source gives `(clip name, Recording, joint table)` one after another. `LICENCES` says what each may be used for:
copyleft sources are left out of a permissive corpus.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...skeleton import bvh
from . import fbx, joints, skm
from .gltf import Glb
from .recording import Recording, chain

Clips = Iterator[tuple[str, Recording, dict[str, str]]]

#: source → licence; the folders' README.md files say where each comes from
LICENCES = {
    "smartbody_gestures": "LGPL-2.1",
    "ict_common_skm": "GPL-3.0",
    "react_idle": "MIT",
    "quaternius_mesh2motion": "CC0-1.0",
    "vircadia_idle": "Apache-2.0",
    "hifi_avatar": "Apache-2.0",
    "rocketbox_idle": "MIT",
    "pepper_core_anims": "BSD-3-Clause",
    "reachy2_emotions": "Apache-2.0",
    "labanotation": "MIT",
}
ROBOTS = ("pepper_core_anims", "reachy2_emotions")  #: joint angles, read by robots.py in library.py
KEY_POSES = ("labanotation",)  #: read by laban.py in library.py
IDLES = ("react_idle", "vircadia_idle", "rocketbox_idle")  #: every clip of these is one of standing about
HELD_OUT = ("hifi_avatar",)  #: whole sources whose gestures no training sees
COPYLEFT = ("smartbody_gestures", "ict_common_skm")

#: glTF clips worth having: file → (joint table, {clip: what it is})
_QUATERNIUS = {
    "human-base-animations.glb": (joints.QUATERNIUS, ["Idle_Loop", "Idle_Talking_Loop"]),
    "human-addon-animations.glb": (joints.MESH2MOTION, ["Greeting", "Reject", "Confused", "Idle Listening"]),
}
_VIRCADIA = {
    "AvatarAnimations_618cb807.glb": (joints.VIRCADIA, ["idle02"]),
    "AvatarAnimations_9d912011.glb": (joints.VIRCADIA, ["idle"]),
}
#: hifi_avatar: people standing, and two who talk; the first frame of each file is a T pose
_HIFI = ("idle", "idle_LFF_all", "idle_RFF_all", "idle_once_headtilt", "idle_once_lookaround", "idle_once_slownod")
_TALKS = ("talk04", "talk_righthand")
_SETS = {  # smartbody set → its skeleton file
    "Gestures": "Gestures/skeletons/ChrBrad.sk",
    "Gestures2": "Gestures2/skeletons/ChrBrad2.sk",
    "FemaleGestures": "FemaleGestures/skeletons/ChrConnor.sk",
    "MaleGestures": "MaleGestures/skeletons/ChrGarza.sk",
}


def clips(source: str, root: Path) -> Clips:
    """Every clip of a source under the data folder `root`."""
    return _READERS[source](root / "motion" / source)


def _smartbody(folder: Path) -> Clips:
    with tarfile.open(folder / "skm.tar.xz") as archive:
        files = {m.name.removeprefix("./"): archive.extractfile(m).read().decode() for m in archive if m.isfile()}
    for motion_set, skeleton_file in _SETS.items():
        skeleton = skm.read_skeleton(files[skeleton_file])
        for path, text in sorted(files.items()):
            if path.startswith(motion_set + "/motions/"):
                name = motion_set + "/" + Path(path).stem
                yield name, skm.read(text, skeleton, name), joints.SMARTBODY
    skeleton = skm.skeleton_of_bvh((folder / "pnskeleton.bvh").read_text())
    for path, text in sorted(files.items()):
        if path.startswith("PNGestures/motions/"):
            name = "PNGestures/" + Path(path).stem
            yield name, skm.read(text, skeleton, name, 0.01), joints.NEURON


def _ict(folder: Path) -> Clips:
    skeleton = skm.common_skeleton()
    for path in sorted(folder.glob("*.skm.gz")):
        name = path.name.removesuffix(".skm.gz")
        yield name, skm.read(_unpacked(path), skeleton, name, 0.01), joints.ICT_COMMON
    for path in sorted(folder.glob("*.bvh")):
        yield path.stem, from_bvh(path.read_text(), path.stem, 0.01), joints.ICT_BVH


def _react(folder: Path) -> Clips:
    for path in sorted(folder.glob("*.bvh.gz")):
        name = path.name.removesuffix(".bvh.gz")
        yield name, from_bvh(_unpacked(path), name, 1.0), joints.REACT


def _glb(files) -> Clips:
    def read(folder: Path) -> Clips:
        for file, (table, names) in files.items():
            glb = Glb(folder / file)
            for name in names:
                yield f"{Path(file).stem}/{name}", glb.read(name), table

    return read


def _hifi(folder: Path) -> Clips:
    for path in sorted(folder.glob("*.fbx")):
        name = path.stem.split("__")[0]
        if name in (*_HIFI, *_TALKS):
            yield ("talk/" if name in _TALKS else "idle/") + name, fbx.read(path, skip=1), joints.VIRCADIA


def _rocketbox(folder: Path) -> Clips:
    for path in sorted(folder.glob("*.fbx")):
        yield path.stem, fbx.read(path, skip=1), joints.BIPED


_READERS = {
    "hifi_avatar": _hifi,
    "rocketbox_idle": _rocketbox,
    "smartbody_gestures": _smartbody,
    "ict_common_skm": _ict,
    "react_idle": _react,
    "quaternius_mesh2motion": _glb(_QUATERNIUS),
    "vircadia_idle": _glb(_VIRCADIA),
}


def _unpacked(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def from_bvh(text: str, name: str, unit: float) -> Recording:
    """A Y-up, +Z-facing BVH as a Recording; `unit` is the metres in one of its units."""
    file = bvh.parse(text)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(file.names), 1))
    rest_turns, rest_places = chain(file.parents, still, file.offsets * unit)
    turns, places = chain(file.parents, file.quats, file.places * unit)
    return Recording(
        name,
        file.names,
        file.parents,
        rest_turns,
        bvh.to_z_up(rest_places),
        bvh.turn_axes(turns, bvh.to_z_up),
        bvh.to_z_up(places),
        np.arange(len(turns)) / file.fps,
    )
