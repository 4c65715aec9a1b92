"""Skeletons for tests: those of the characters, and the canonical one with other proportions, rest poses, axes, bones.

`Body.truth` says which bones each joint may be answered by.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from a2p_core.data.paths import data_root
from a2p_core.errors import UserError
from a2p_core.retarget.structure_limbs import FINGER_JOINTS, THUMB_JOINTS
from a2p_core.skeleton.humanoid import HUMANOID

SIDES = {"left": 1.0, "right": -1.0}
FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")


RIGS = json.loads((Path(__file__).parent / "data" / "rigs.json").read_text())


@cache
def rig(name: str) -> tuple[list[str], list[int], np.ndarray]:
    """Names, parents and heads of a character's rig; MakeHuman's are read from where they lie."""
    if name in RIGS:
        return RIGS[name]["names"], RIGS[name]["parents"], np.array(RIGS[name]["heads"])
    try:
        path = data_root().joinpath("characters/makehuman_cc0/src/mpfb/data/rigs/standard", f"{name}.json")
    except UserError as error:
        pytest.skip(str(error))
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    bones = json.loads(path.read_text())
    bones = bones.get("bones", bones)
    names = list(bones)
    parents = [names.index(bone["parent"]) if bone["parent"] else -1 for bone in bones.values()]
    return names, parents, np.array([bone["head"]["default_position"] for bone in bones.values()])


def nameless(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [f"{rng.integers(1 << 48):012x}" for _ in range(count)]


def canonical(joints: list[str]) -> tuple[list[int], np.ndarray]:
    heads = np.zeros((len(HUMANOID), 3))
    for j, parent in enumerate(HUMANOID.parents):
        heads[j] = HUMANOID.offsets[j] + (heads[parent] if parent >= 0 else 0)
    above = [HUMANOID.names[HUMANOID.parents[HUMANOID.index(joint)]] for joint in joints[1:]]
    return [-1, *(joints.index(joint) for joint in above)], heads[[HUMANOID.index(joint) for joint in joints]]


@dataclass
class Body:
    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    heads: list[np.ndarray] = field(default_factory=list)
    truth: dict[str, list[int]] = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    left: np.ndarray = field(default_factory=lambda: np.array([1.0, 0, 0]))

    def add(self, parent: int, head, joint: str | None = None) -> int:
        self.names.append(joint or f"extra{len(self.names)}")
        self.parents.append(parent)
        self.heads.append(np.asarray(head, dtype=float))
        if joint:
            self.truth.setdefault(joint, []).append(len(self.names) - 1)
        return len(self.names) - 1


def turn(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    a, b = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[a, a] = matrix[b, b] = c
    matrix[a, b], matrix[b, a] = -s, s
    return matrix


def random_turn(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q @ np.diag([1, 1, -1.0])


def random_body(seed: int, **fixed) -> Body:
    """A body of the given seed; `fixed` sets options by name (see the first lines)."""
    rng = np.random.default_rng(seed)
    chance = lambda p: bool(rng.random() < p)  # noqa: E731
    options = {
        "spine": int(rng.integers(1, 8)),
        "neck": int(rng.choice([0, 1, 1, 1, 2])),
        "clavicle": chance(0.85),
        "fingers": int(rng.choice([0, 0, 1, 3, 4, 5, 5, 5, 5])),
        "metacarpals": chance(0.3),
        "ends": chance(0.4),
        "toes": chance(0.8),
        "arms": float(rng.choice([0.0, 0.0, 0.7, 1.3])) + rng.uniform(-0.1, 0.1),
        "bent": chance(0.7),
        "twist": chance(0.4),
        "split": chance(0.25),
        "roots": int(rng.integers(0, 3)),
        "ik": chance(0.3),
        "face": chance(0.5),
        "hair": chance(0.3),
        "skirt": chance(0.25),
        "tail": chance(0.15),
        "weapon": chance(0.2),
        "breasts": chance(0.25),
        "hip_bones": chance(0.15),
        "turned": chance(0.6),
    } | fixed
    o = options
    size = {part: rng.uniform(0.8, 1.25) for part in ("leg", "arm", "trunk", "hand", "width", "head")}
    body = Body(options=o)
    offsets = {name: HUMANOID.offsets[j].astype(float) for j, name in enumerate(HUMANOID.names)}
    hips = offsets["hips"] * size["leg"]
    parent = -1
    for _ in range(o["roots"]):
        parent = body.add(parent, [0, 0, 0])
    root = parent
    hip = body.add(parent, hips, "hips")
    # trunk: points along hips .. upperChest, spread over the number of spine bones
    line = [hips, *np.cumsum([offsets[j] * size["trunk"] for j in ("spine", "chest", "upperChest")], axis=0) + hips]
    parent, spine = hip, []
    for t in np.linspace(0, 3, o["spine"] + 1)[1:]:
        low = min(int(t), 2)
        parent = body.add(parent, line[low] + (t - low) * (line[low + 1] - line[low]), "spine")
        spine.append(parent)
    chest = parent
    top = line[3]
    neck_base = top + offsets["neck"] * size["trunk"]
    head_at = neck_base + offsets["head"] * size["head"]
    for n in range(o["neck"]):
        parent = body.add(parent, neck_base + (head_at - neck_base) * n / max(o["neck"], 1), "neck")
    head = body.add(parent, head_at, "head")
    if o["ends"]:
        body.add(head, head_at + np.array([0, 0, 0.19 * size["head"]]))
    tall = size["head"]
    if o["face"]:
        body.add(head, head_at + np.array([0, -0.03, 0.01]) * tall)
        for sign in SIDES.values():
            for place in ([0.032, -0.09, 0.06], [0.025, -0.1, 0.1], [0.02, -0.1, -0.02]):
                body.add(head, head_at + np.array([sign * place[0], place[1], place[2]]) * tall)
    if o["hair"]:
        for x in (-0.06, 0.06):
            row = head
            for k in range(int(rng.integers(2, 6))):
                row = body.add(row, head_at + np.array([x * (1 + 0.2 * k), 0.09 + 0.02 * k, 0.12 - 0.09 * k]) * tall)
        row = head
        for k in range(4):
            row = body.add(row, head_at + np.array([0, 0.1 + 0.02 * k, 0.14 - 0.08 * k]) * tall)
    if o["tail"]:
        row = hip
        for k in range(5):
            row = body.add(row, hips + np.array([0, 0.08 + 0.09 * k, -0.02 - 0.05 * k]))
    lengths = {key: rng.uniform(0.9, 1.1) for key in range(4)}
    hand_turn = rng.uniform(-0.2, 0.2)
    for side, sign in SIDES.items():
        flip = np.array([sign, 1, 1])
        if o["breasts"]:
            body.add(chest, top + np.array([0.08, -0.1, -0.02]) * flip)
        down = turn(1, o["arms"])  # about the way that one faces: the left arm goes down
        at_clavicle = top + offsets["leftShoulder"] * size["trunk"] * flip
        at_arm = at_clavicle + offsets["leftUpperArm"] * [size["width"], 1, 1] * flip
        row = chest
        if o["clavicle"]:
            row = body.add(row, at_clavicle, side + "Shoulder")
        upper = down @ np.array([0.278 * size["arm"] * lengths[0], 0, 0])
        bend = turn(2, -0.25 if o["bent"] else 0.0)
        lower = down @ bend @ np.array([0.248 * size["arm"] * lengths[1], 0, 0])
        elbow = at_arm + upper * flip
        wrist = elbow + lower * flip
        row = body.add(row, at_arm, side + "UpperArm")
        arm_bone = row
        if o["split"]:
            row = body.add(row, at_arm + 0.5 * upper * flip, side + "UpperArm")
        row = body.add(row, elbow, side + "LowerArm")
        if o["split"]:
            row = body.add(row, elbow + 0.5 * lower * flip, side + "LowerArm")
        if o["twist"]:
            body.add(arm_bone, at_arm + 0.5 * upper * flip)
            body.add(row, elbow + 0.6 * lower * flip)
        hand = body.add(row, wrist, side + "Hand")
        frame = down @ bend @ turn(0, hand_turn)
        chosen = {0: (), 1: ("Middle",), 3: FINGERS[:3], 4: FINGERS[:4], 5: FINGERS}[o["fingers"]]
        for finger in chosen:
            parts = THUMB_JOINTS if finger == "Thumb" else FINGER_JOINTS
            point = wrist
            row = hand
            for k, part in enumerate(parts):
                step = frame @ (offsets[f"left{finger}{part}"] * size["hand"])
                if k == 0 and finger != "Thumb" and o["metacarpals"]:
                    row = body.add(row, point + 0.25 * step * flip)
                point = point + step * flip
                row = body.add(row, point, f"{side}{finger}{part}")
            if o["ends"]:
                body.add(row, point + 0.8 * step * flip)
        if not chosen and o["ends"]:
            body.add(hand, wrist + frame @ np.array([0.1, 0, 0]) * flip)
        if o["weapon"] and side == "right":
            body.add(hand, wrist + np.array([0.06, -0.3, 0.02]) * flip)
        at_leg = hips + offsets["leftUpperLeg"] * [size["width"], 1, 1] * flip
        row = hip
        if o["hip_bones"]:
            row = body.add(row, hips + np.array([0.02, 0, 0]) * flip)
        bent = 0.02 if o["bent"] else 0.004
        knee = at_leg + np.array([0.0, -bent, -0.425 * size["leg"] * lengths[2]])
        ankle = np.array([at_leg[0], at_leg[1] + 0.016, 0.078 * size["leg"]])
        row = body.add(row, at_leg, side + "UpperLeg")
        leg_bone = row
        if o["split"]:
            row = body.add(row, (at_leg + knee) / 2, side + "UpperLeg")
        row = body.add(row, knee, side + "LowerLeg")
        if o["split"]:
            row = body.add(row, (knee + ankle) / 2, side + "LowerLeg")
        if o["twist"]:
            body.add(leg_bone, at_leg + 0.5 * (knee - at_leg))
            body.add(row, knee + 0.5 * (ankle - knee))
        foot = body.add(row, ankle, side + "Foot")
        if o["toes"]:
            toes = body.add(foot, ankle + np.array([0, -0.135, -0.062]), side + "Toes")
            if o["ends"]:
                body.add(toes, ankle + np.array([0, -0.205, -0.066]))
        if o["skirt"]:
            for x, y in ((0.1, -0.1), (0.14, 0.0), (0.1, 0.1)):
                row = hip
                for k in range(4):
                    wide = 1 + 0.1 * k
                    row = body.add(row, hips + np.array([x * wide, y * wide, -0.04 - 0.11 * k]) * flip)
        if o["ik"]:
            body.add(root, ankle)
            body.add(root, wrist)
            body.add(root, knee + np.array([0, -0.4, 0]))
    return _placed(body, rng, o["turned"])


def _placed(body: Body, rng: np.random.Generator, turned: bool) -> Body:
    """The body anywhere, in any unit and axes, its bones in any order, under names that mean nothing."""
    matrix = random_turn(rng) if turned else np.eye(3)
    unit = float(rng.choice([1.0, 100.0, 0.01, 39.37])) if turned else 1.0
    place = rng.uniform(-2, 2, 3) if turned else np.zeros(3)
    heads = (np.array(body.heads) + rng.normal(scale=0.0005, size=(len(body.heads), 3)) + place) @ matrix.T * unit
    order = rng.permutation(len(body.names))
    back = np.argsort(order)
    names = [f"b{rng.integers(1 << 40):010x}" for _ in order]
    parents = [int(back[body.parents[i]]) if body.parents[i] >= 0 else -1 for i in order]
    truth = {joint: [int(back[i]) for i in row] for joint, row in body.truth.items()}
    return Body(names, parents, list(heads[order]), truth, body.options, matrix[:, 0])


def wrong_joints(found: dict[str, tuple[str, ...]], body: Body) -> list[str]:
    """What is not as it should be: joints that differ, in words. Joints of the trunk may be dealt out either way; the
    first bone of a limb's joint has to be right."""
    index = {name: i for i, name in enumerate(body.names)}
    got = {joint: [index[bone] for bone in row] for joint, row in found.items()}
    spine = [b for joint in ("spine", "chest", "upperChest") for b in got.get(joint, [])]
    wrong = [] if spine == body.truth["spine"] else [f"spine {spine} for {body.truth['spine']}"]
    joints = [j for j in HUMANOID.names if j not in ("spine", "chest", "upperChest")]
    return wrong + [
        f"{joint} {got.get(joint)} for {body.truth.get(joint)}"
        for joint in joints
        if (got.get(joint) or [None])[0] != (body.truth.get(joint) or [None])[0]
    ]
