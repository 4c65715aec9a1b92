"""What each phone asks of the mouth: the table behind `coarticulation`.

A phone's row names only the controls that it moves; the others have the target 0. `jaw` and `lip` are its dominance:
how firmly it holds its jaw and lip targets against its neighbours (Cohen and Massaro 1993). A consonant made with the
tongue leaves the lips to the vowels around it; a bilabial leaves the jaw to them.

Amplitudes follow `face/facegood` for the jaw (see `coarticulation`) and the order of apertures that phoneticians
measure (aa > ae > ao > ah > eh > ey > ih > uh > uw > iy); lips follow the viseme classes of MPEG-4.
"""

from __future__ import annotations

CONTROLS = (
    "jaw", "close", "funnel", "pucker", "stretch", "smile", "dimple", "rollLower", "rollUpper", "press",
    "shrugLower", "shrugUpper", "lowerDown", "upperUp", "tongue", "forward", "puff",
)  # fmt: skip
JAW_GROUP = ("jaw", "tongue", "forward")
ROUND_GROUP = ("funnel", "pucker")

#: control → ARKit shapes and their share
ARKIT_OF = {
    "jaw": ("jawOpen",), "close": ("mouthClose",), "funnel": ("mouthFunnel",), "pucker": ("mouthPucker",),
    "stretch": ("mouthStretchLeft", "mouthStretchRight"), "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "dimple": ("mouthDimpleLeft", "mouthDimpleRight"), "rollLower": ("mouthRollLower",),
    "rollUpper": ("mouthRollUpper",), "press": ("mouthPressLeft", "mouthPressRight"),
    "shrugLower": ("mouthShrugLower",), "shrugUpper": ("mouthShrugUpper",),
    "lowerDown": ("mouthLowerDownLeft", "mouthLowerDownRight"),
    "upperUp": ("mouthUpperUpLeft", "mouthUpperUpRight"), "tongue": ("tongueOut",), "forward": ("jawForward",),
    "puff": ("cheekPuff",),
}  # fmt: skip

#: diphthongs and affricates → their parts and the share of time of the first part
PARTS = {
    "aw": ("aa", "uh", 0.55), "ay": ("aa", "ih", 0.55), "ey": ("eh", "ih", 0.5), "ow": ("ao", "uw", 0.45),
    "oy": ("ao", "ih", 0.5), "ch": ("t", "sh", 0.4), "jh": ("d", "zh", 0.4),
}  # fmt: skip

_BILABIAL = dict(jaw=0.06, press=0.10, hold=(0.5, 1.3))
_LABIODENTAL = dict(jaw=0.06, rollLower=0.25, upperUp=0.10, hold=(0.9, 1.2))
_ALVEOLAR = dict(jaw=0.07, lowerDown=0.10, hold=(0.6, 0.22))
_SIBILANT = dict(jaw=0.035, lowerDown=0.16, stretch=0.10, upperUp=0.05, hold=(1.1, 0.35))
_HUSHING = dict(jaw=0.05, funnel=0.40, pucker=0.12, lowerDown=0.14, upperUp=0.10, forward=0.08, hold=(1.1, 0.9))
_VELAR = dict(jaw=0.11, lowerDown=0.06, hold=(0.45, 0.12))
_DENTAL = dict(jaw=0.09, lowerDown=0.10, tongue=0.20, hold=(0.8, 0.35))
_ROUND_GLIDE = dict(jaw=0.07, pucker=0.60, funnel=0.30, hold=(0.9, 1.4))

#: phone → targets 0..1 and `hold` = (dominance over the jaw, over the lips)
TARGETS = {
    "aa": dict(jaw=0.47, lowerDown=0.10, upperUp=0.05, hold=(1.0, 0.8)),
    "ae": dict(jaw=0.42, stretch=0.16, lowerDown=0.14, upperUp=0.07, hold=(1.0, 0.8)),
    "ah": dict(jaw=0.32, lowerDown=0.10, upperUp=0.04, hold=(0.9, 0.6)),
    "ao": dict(jaw=0.38, funnel=0.38, pucker=0.12, lowerDown=0.06, hold=(1.0, 1.0)),
    "ax": dict(jaw=0.16, lowerDown=0.08, upperUp=0.03, hold=(0.6, 0.3)),
    "eh": dict(jaw=0.31, stretch=0.14, lowerDown=0.14, upperUp=0.06, hold=(0.9, 0.7)),
    "er": dict(jaw=0.15, funnel=0.30, pucker=0.10, lowerDown=0.10, hold=(0.9, 0.8)),
    "ih": dict(jaw=0.17, stretch=0.14, dimple=0.05, lowerDown=0.14, upperUp=0.05, hold=(0.9, 0.6)),
    "iy": dict(jaw=0.10, stretch=0.24, dimple=0.12, smile=0.10, lowerDown=0.18, upperUp=0.07, hold=(1.0, 0.9)),
    "uh": dict(jaw=0.15, funnel=0.32, pucker=0.22, hold=(0.9, 0.9)),
    "uw": dict(jaw=0.08, pucker=0.55, funnel=0.35, hold=(1.0, 1.3)),
    "ue": dict(jaw=0.08, pucker=0.58, funnel=0.32, hold=(1.0, 1.3)),
    "oe": dict(jaw=0.20, pucker=0.36, funnel=0.34, hold=(1.0, 1.1)),
    "b": dict(_BILABIAL, puff=0.05), "p": dict(_BILABIAL, puff=0.08), "m": dict(_BILABIAL, press=0.07),
    "f": dict(_LABIODENTAL), "v": dict(_LABIODENTAL, rollLower=0.22),
    "d": dict(_ALVEOLAR), "t": dict(_ALVEOLAR, jaw=0.06), "n": dict(_ALVEOLAR, jaw=0.08),
    "l": dict(_ALVEOLAR, jaw=0.11, tongue=0.03), "s": dict(_SIBILANT), "z": dict(_SIBILANT, jaw=0.04),
    "sh": dict(_HUSHING), "zh": dict(_HUSHING), "k": dict(_VELAR), "g": dict(_VELAR), "ng": dict(_VELAR),
    "th": dict(_DENTAL), "dh": dict(_DENTAL, tongue=0.15), "hh": dict(jaw=0.10, hold=(0.15, 0.08)),
    "r": dict(jaw=0.09, funnel=0.30, pucker=0.14, lowerDown=0.06, hold=(0.6, 0.6)),
    "w": dict(_ROUND_GLIDE), "y": dict(jaw=0.07, stretch=0.14, lowerDown=0.10, hold=(0.7, 0.4)),
    "sil": dict(jaw=0.0, hold=(0.5, 0.35)),
}  # fmt: skip

#: seconds over which dominance falls to 1/e before and after a phone: (lead, lag)
REACH = {"jaw": (0.046, 0.046), "round": (0.085, 0.060), "lip": (0.060, 0.060)}
