"""FACEGOOD: recorded Mandarin speech with an animator's mouth curves, mapped to ARKit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soundfile

from ...face.spaces import column
from ..paths import data_root
from .speech import Speech, to_rate

#: ARKit shape → FACEGOOD columns, of which the largest counts (table of the data set's own workbook); {} = l or r
MAPPING = {
    "jawOpen": ("mouth_stretch_c",),
    "mouthClose": ("mouth_chew_c",),
    "mouthFunnel": ("mouth_funnel_dl", "mouth_funnel_dr", "mouth_funnel_ul", "mouth_funnel_ur"),
    "mouthPucker": ("mouth_pucker_l", "mouth_pucker_r"),
    "mouthRollLower": ("mouth_suck_dl", "mouth_suck_dr"),
    "mouthRollUpper": ("mouth_suck_ul", "mouth_suck_ur"),
    "mouthShrugLower": ("mouth_chinRaise_d",),
    "mouthShrugUpper": ("mouth_chinRaise_u",),
    "jawForward": ("jaw_thrust_c",),
}
SIDED = {
    "mouthSmile": ("mouth_lipCornerPull_{}",),
    "mouthFrown": ("mouth_lipCornerDepress_{}", "mouth_lipCornerDepressFix_{}"),
    "mouthDimple": ("mouth_dimple_{}",),
    "mouthStretch": ("mouth_lipStretch_{}",),
    "mouthPress": ("mouth_press_{}",),
    "mouthLowerDown": ("mouth_lowerLipDepress_{}",),
    "mouthUpperUp": ("mouth_upperLipRaise_{}",),
}
#: clip → split; the one clip of running speech gives its last third to the test
CLIPS = {"1114_2_01": "train", "1114_2_02": "train", "1114_2_03": "valid", "1114_2_04": "test", "1114_3_15": "both"}


def to_arkit(weights: np.ndarray, names: list[str]) -> np.ndarray:
    """FACEGOOD weights [T, 116] as ARKit [T, 52] float32, mouth columns only."""
    table = dict(MAPPING)
    for shape, sources in SIDED.items():
        for side, letter in (("Left", "l"), ("Right", "r")):
            table[shape + side] = tuple(s.format(letter) for s in sources)
    out = np.zeros((len(weights), 52), np.float32)
    for shape, sources in table.items():
        out[:, column(shape)] = np.max([weights[:, names.index(s)] for s in sources], axis=0)
    return np.clip(out, 0, 1)


def facegood() -> Iterator[tuple[str, Speech]]:
    """(split, speech with `weights`) of each clip."""
    folder = data_root() / "face/facegood"
    for clip, split in CLIPS.items():
        audio = to_rate(*soundfile.read(folder / f"{clip}.flac", dtype="float32"))
        with np.load(folder / f"{clip}_bs116_30fps.npz") as data:
            weights = to_arkit(data["weights"], [str(n) for n in data["names"]])
        if split != "both":
            yield split, Speech(audio, [], "facegood", "facegood", clip, weights)
            continue
        cut = len(weights) * 2 // 3 // 3 * 3
        at = cut // 3 * 1600
        yield "train", Speech(audio[:at], [], "facegood", "facegood", clip, weights[:cut])
        yield "test", Speech(audio[at:], [], "facegood", "facegood", clip, weights[cut:])
