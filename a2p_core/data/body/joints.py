"""Which joint of a source stands for which canonical one: a table per skeleton family.

`{side}` is filled in for both sides. A source joint named here gives its world rotation to the canonical joint;
where a chain has twist joints, the one that carries the whole twist down to the next joint is named.
"""

from __future__ import annotations

from ...skeleton.humanoid import HUMANOID

_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
_SEGMENTS = {"Thumb": ("Metacarpal", "Proximal", "Distal")}
_PLAIN = ("Proximal", "Intermediate", "Distal")


def _table(trunk: dict[str, str], sides: dict[str, str], limbs: dict[str, str], finger: str, **words) -> dict[str, str]:
    """Canonical name → source name. `finger` is a template with {side}, {finger} and {n}; empty: no fingers."""
    table = dict(trunk)
    for side, source_side in sides.items():
        for name, source in limbs.items():
            table[side + name] = source.format(side=source_side)
        if not finger:
            continue
        for f in _FINGERS:
            for n, segment in enumerate(_SEGMENTS.get(f, _PLAIN)):
                source = finger.format(side=source_side, finger=words.get(f, f), n=words["numbers"][n])
                table[side + f + segment] = source
    assert set(table) <= set(HUMANOID.names)
    return table


SMARTBODY = _table(
    {
        "hips": "JtRoot",
        "spine": "JtSpineA",
        "chest": "JtSpineB",
        "upperChest": "JtSpineC",
        "neck": "JtNeckB",
        "head": "JtSkullA",
    },
    {"left": "Lf", "right": "Rt"},
    {
        "Shoulder": "JtClavicle{side}",
        "UpperArm": "JtUpperArmTwistB{side}",
        "LowerArm": "JtElbow{side}",
        "Hand": "JtWrist{side}",
        "UpperLeg": "JtHip{side}",
        "LowerLeg": "JtKnee{side}",
        "Foot": "JtAnkle{side}",
        "Toes": "JtBall{side}",
    },
    "Jt{finger}{n}{side}",
    numbers="ABC",
)

ICT_COMMON = _table(
    {
        "hips": "base",
        "spine": "spine1",
        "chest": "spine2",
        "upperChest": "spine3",
        "neck": "spine5",
        "head": "skullbase",
    },
    {"left": "l", "right": "r"},
    {
        "Shoulder": "{side}_acromioclavicular",
        "UpperArm": "{side}_shoulder",
        "LowerArm": "{side}_elbow",
        "Hand": "{side}_wrist",
        "UpperLeg": "{side}_hip",
        "LowerLeg": "{side}_knee",
        "Foot": "{side}_ankle",
        "Toes": "{side}_forefoot",
    },
    "{side}_{finger}{n}",
    Thumb="thumb",
    Index="index",
    Middle="middle",
    Ring="ring",
    Little="pinky",
    numbers="123",
)

NEURON = _table(
    {"hips": "Hips", "spine": "Spine", "chest": "Spine1", "upperChest": "Spine3", "neck": "Neck", "head": "Head"},
    {"left": "Left", "right": "Right"},
    {
        "Shoulder": "{side}Shoulder",
        "UpperArm": "{side}Arm",
        "LowerArm": "{side}ForeArm",
        "Hand": "{side}Hand",
        "UpperLeg": "{side}UpLeg",
        "LowerLeg": "{side}Leg",
        "Foot": "{side}Foot",
    },
    "{side}Hand{finger}{n}",
    Little="Pinky",
    numbers="123",
)

BIPED = _table(
    {
        "hips": "Bip01 Pelvis",
        "spine": "Bip01 Spine",
        "chest": "Bip01 Spine1",
        "upperChest": "Bip01 Spine2",
        "neck": "Bip01 Neck",
        "head": "Bip01 Head",
    },
    {"left": "L", "right": "R"},
    {
        "Shoulder": "Bip01 {side} Clavicle",
        "UpperArm": "Bip01 {side} UpperArm",
        "LowerArm": "Bip01 {side} Forearm",
        "Hand": "Bip01 {side} Hand",
        "UpperLeg": "Bip01 {side} Thigh",
        "LowerLeg": "Bip01 {side} Calf",
        "Foot": "Bip01 {side} Foot",
        "Toes": "Bip01 {side} Toe0",
    },
    "Bip01 {side} Finger{finger}{n}",
    Thumb="0",
    Index="1",
    Middle="2",
    Ring="3",
    Little="4",
    numbers=("", "1", "2"),
)

VIRCADIA = {**NEURON, "upperChest": "Spine2", "leftToes": "LeftToeBase", "rightToes": "RightToeBase"}

QUATERNIUS = _table(
    {
        "hips": "DEF-hips",
        "spine": "DEF-spine.001",
        "chest": "DEF-spine.002",
        "upperChest": "DEF-spine.003",
        "neck": "DEF-neck",
        "head": "DEF-head",
    },
    {"left": "L", "right": "R"},
    {
        "Shoulder": "DEF-shoulder.{side}",
        "UpperArm": "DEF-upper_arm.{side}",
        "LowerArm": "DEF-forearm.{side}",
        "Hand": "DEF-hand.{side}",
        "UpperLeg": "DEF-thigh.{side}",
        "LowerLeg": "DEF-shin.{side}",
        "Foot": "DEF-foot.{side}",
        "Toes": "DEF-toe.{side}",
    },
    "DEF-{finger}.0{n}.{side}",
    Thumb="thumb",
    Index="f_index",
    Middle="f_middle",
    Ring="f_ring",
    Little="f_pinky",
    numbers="123",
)

MESH2MOTION = _table(
    {
        "hips": "pelvis",
        "spine": "spine_01",
        "chest": "spine_02",
        "upperChest": "spine_03",
        "neck": "neck_01",
        "head": "head",
    },
    {"left": "l", "right": "r"},
    {
        "Shoulder": "clavicle_{side}",
        "UpperArm": "upperarm_{side}",
        "LowerArm": "lowerarm_{side}",
        "Hand": "hand_{side}",
        "UpperLeg": "thigh_{side}",
        "LowerLeg": "calf_{side}",
        "Foot": "foot_{side}",
        "Toes": "ball_{side}",
    },
    "{finger}_0{n}_{side}",
    Thumb="thumb",
    Index="index",
    Middle="middle",
    Ring="ring",
    Little="pinky",
    numbers="123",
)

REACT = _table(
    {"hips": "pelvis", "spine": "spine", "upperChest": "spine.001", "neck": "neck", "head": "face"},
    {"left": "L", "right": "R"},
    {
        "Shoulder": "shoulder.{side}",
        "UpperArm": "upper_arm.{side}",
        "LowerArm": "forearm.{side}",
        "UpperLeg": "thigh.{side}",
        "LowerLeg": "shin.{side}",
        "Foot": "foot.{side}",
    },
    "",
)

ICT_BVH = _table(
    {"hips": "Hips", "spine": "Chest", "chest": "Chest2", "upperChest": "Chest4", "neck": "Neck", "head": "Head"},
    {"left": "Left", "right": "Right"},
    {
        "Shoulder": "{side}Collar",
        "UpperArm": "{side}Shoulder",
        "LowerArm": "{side}Elbow",
        "Hand": "{side}Wrist",
        "UpperLeg": "{side}Hip",
        "LowerLeg": "{side}Knee",
        "Foot": "{side}Ankle",
        "Toes": "{side}Toe",
    },
    "",
)
