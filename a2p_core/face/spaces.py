"""Expression spaces: the names behind the columns of `MotionClip.face_weights`. No torch here.

ARKit 52 after Apple's ARFaceAnchor.BlendShapeLocation; weights run from 0 to 1.
"""

from __future__ import annotations

_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")

#: The 52 in Apple's (and Live Link Face's) order.
ARKIT = (
    *(name + "Left" for name in _EYE),
    *(name + "Right" for name in _EYE),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)
SPACES: dict[str, tuple[str, ...]] = {"arkit52": ARKIT}
assert len(ARKIT) == len(set(ARKIT)) == 52

#: columns that the voice decides (jaw, lips, tongue, cheeks); the rest is the upper face
MOUTH = tuple(i for i, n in enumerate(ARKIT) if n.startswith(("jaw", "mouth", "tongue", "cheekPuff")))
UPPER = tuple(i for i in range(52) if i not in MOUTH)


def column(name: str) -> int:
    """The column of an ARKit shape in `face_weights`."""
    return ARKIT.index(name)
