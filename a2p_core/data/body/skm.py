"""SmartBody motions (.skm) and skeletons (.sk).

Format, from the files themselves (motion/smartbody_gestures/README.md, motion/ict_common_skm/README.md):
a list of channels (`<joint> XPos|YPos|ZPos` one number, `<joint> Quat` three numbers: axis times angle, radians),
lines `kt <seconds> fr <numbers>`, then marks `emphasis time: 0.86` in seconds. A skeleton nests
`joint <name> { offset x y z  prerot axis x y z ang degrees  channel … }`; a joint's local rotation is its prerot
followed by the channel's rotation. Metres in ChrBrad, ChrConnor, ChrGarza; Y up, facing +Z, left is +X.
The ICT common skeleton comes without a .sk file; its rest is a T pose with world-aligned axes, so the hierarchy
alone (`_COMMON`) is enough.
"""

from __future__ import annotations

import re

import numpy as np

from ...skeleton import bvh, rotations
from .recording import Recording, chain

_ARM = ("sternoclavicular", "acromioclavicular", "shoulder", "elbow", "forearm", "wrist")
_LEG = ("hip", "knee", "ankle", "forefoot", "toe")


def _common() -> list[tuple[str, str | None]]:
    """(joint, parent) of the ICT common skeleton's body."""
    rows: list[tuple[str, str | None]] = [("base", None), ("spine1", "base"), ("spine2", "spine1")]
    rows += [("spine3", "spine2"), ("spine4", "spine3"), ("spine5", "spine4"), ("skullbase", "spine5")]
    for side in "lr":
        for part, top in ((_ARM, "spine3"), (_LEG, "base")):
            above = top
            for name in part:
                rows.append((f"{side}_{name}", above))
                above = f"{side}_{name}"
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            above = f"{side}_wrist"
            for number in range(1, 5):
                rows.append((f"{side}_{finger}{number}", above))
                above = f"{side}_{finger}{number}"
    return rows


_COMMON = _common()


class SkSkeleton:
    """Joints of a .sk file: names, parents, offsets [J, 3] and prerots [J, 4], in the file's axes, metres."""

    def __init__(self, rows: list[tuple[str, int, np.ndarray, np.ndarray]]):
        self.names = tuple(row[0] for row in rows)
        self.parents = tuple(row[1] for row in rows)
        self.offsets = np.array([row[2] for row in rows])
        self.prerots = np.array([row[3] for row in rows])


def read_skeleton(text: str) -> SkSkeleton:
    """The skeleton in a .sk file's text."""
    rows: list[tuple[str, int, np.ndarray, np.ndarray]] = []
    stack: list[int] = []
    words = iter(text[text.index("skeleton\n") :].split())
    offset, axis = np.zeros(3), np.zeros(3)
    for word in words:
        if word in ("root", "joint"):
            rows.append((next(words), stack[-1] if stack else -1, np.zeros(3), rotations.IDENTITY))
        elif word == "{":
            stack.append(len(rows) - 1)
        elif word == "}":
            stack.pop()
            if not stack:
                break
        elif word == "offset":
            offset = np.array([float(next(words)) for _ in range(3)])
            name, parent, _, prerot = rows[stack[-1]]
            rows[stack[-1]] = (name, parent, offset, prerot)
        elif word == "axis":
            axis = np.array([float(next(words)) for _ in range(3)])
        elif word == "ang":
            length = np.linalg.norm(axis)
            turn = axis / length * np.radians(float(next(words))) if length > 1e-9 else np.zeros(3) * float(next(words))
            name, parent, place, _ = rows[stack[-1]]
            rows[stack[-1]] = (name, parent, place, rotations.from_rotvec(turn))
    return SkSkeleton(rows)


def common_skeleton() -> SkSkeleton:
    """The ICT common skeleton: hierarchy and identity rest axes, no lengths."""
    names = [name for name, _ in _COMMON]
    rows = [(n, -1 if p is None else names.index(p), np.zeros(3), rotations.IDENTITY) for n, p in _COMMON]
    return SkSkeleton(rows)


def skeleton_of_bvh(text: str) -> SkSkeleton:
    """A skeleton given as a BVH in centimetres (pnskeleton.bvh)."""
    file = bvh.parse(text)
    rows = zip(file.names, file.parents, file.offsets / 100.0)
    return SkSkeleton([(n, p, o, rotations.IDENTITY) for n, p, o in rows])


def read(text: str, skeleton: SkSkeleton, name: str, unit: float = 1.0) -> Recording:
    """The motion in a .skm file's text, on its skeleton; `unit` is the metres in one unit of its positions."""
    head, _, tail = text.partition("\nframes")
    channels = re.findall(r"^(\S+) ([XYZ]Pos|Quat)\s*$", head, re.MULTILINE)
    lines = [line.split() for line in tail.splitlines() if line.startswith("kt ")]
    times = np.array([float(line[1]) for line in lines])
    table = np.array([line[3:] for line in lines], dtype=np.float64)
    joints, count = {n: j for j, n in enumerate(skeleton.names)}, len(lines)
    turns = np.broadcast_to(skeleton.prerots, (count, *skeleton.prerots.shape)).copy()
    places = np.broadcast_to(skeleton.offsets, (count, *skeleton.offsets.shape)).copy()
    column = 0
    for joint, kind in channels:
        width = 3 if kind == "Quat" else 1
        j = joints.get(joint)
        if j is not None and kind == "Quat":
            turn = rotations.from_rotvec(table[:, column : column + 3])
            turns[:, j] = rotations.multiply(skeleton.prerots[j], turn)
        elif j is not None and skeleton.parents[j] < 0:
            places[:, j, "XYZ".index(kind[0])] += table[:, column] * unit
        column += width
    marks = {m: float(t) for m, t in re.findall(r"^(ready|strokeStart|emphasis|stroke|relax) time: ?(\S+)", tail, re.M)}
    world = [*chain(skeleton.parents, skeleton.prerots, skeleton.offsets), *chain(skeleton.parents, turns, places)]
    rest_turns, rest_places, turns, places = world
    return Recording(
        name,
        skeleton.names,
        skeleton.parents,
        bvh.turn_axes(rest_turns, bvh.to_z_up),
        bvh.to_z_up(rest_places),
        bvh.turn_axes(turns, bvh.to_z_up),
        bvh.to_z_up(places),
        times - times[0],
        {m: t - times[0] for m, t in marks.items()},
    )
