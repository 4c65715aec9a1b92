"""A made-up person in the released layout: scenes to try training on, and a model folder of untrained networks.

Two voices take turns. Syllables with a loudness and an openness make the sound, the mouth and, where they are
accented, strokes of the arms; while the other talks the body listens and nods where the other's phrases end. So
there is something to learn from both channels. No person was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from ...face.spaces import column
from ...reference import model, rule
from ...reference.config import AUDIO2PHOTOREAL, CODES, FPS, HEARD_RATE, JOINTS, RATE, SAMPLES, ReferenceConfig
from ...reference.expressions import ExpressionMap, fit
from ...reference.networks import Networks
from ...reference.rig import CHANNELS, Rig
from ...skeleton.humanoid import FINGERS, HUMANOID
from .scenes import PARTS, Dataset

LICENCE = "none needed: made-up data"
_UPRIGHT = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  #: canonical x, y, z → x, z, −y
_SYLLABLE_S, _LEVEL = 0.22, 0.02
_HARMONICS = 24
_MISSING = 10  #: frames a scene whose face "was not captured"


def _driven() -> list[str]:
    """The 104 channels a pose moves: hips; trunk, arms and legs about three axes; fingers mostly about one."""
    names = np.array(HUMANOID.names)
    limbs = [name for i, name in enumerate(names) if i and i not in FINGERS]
    curls = [f"{name}.rz" for name in names[list(FINGERS)]]
    thumbs = [f"{name}.{axis}" for name in names if "Thumb" in name for axis in ("ry", "rx")]
    free = [f"{name}.{axis}" for name in limbs for axis in ("rx", "ry", "rz")] + curls + thumbs
    return [f"hips.{c}" for c in CHANNELS[:6]] + free[: JOINTS - 6]


DRIVEN = _driven()


def rig() -> Rig:
    """The canonical humanoid in centimetres, Y up, whose joints turn by 104 parameters; two more make it bigger."""
    parameters = (*(name.replace(".", "_") for name in DRIVEN), "scale_head", "scale_all")
    transform = np.zeros((7 * len(HUMANOID), len(parameters)))
    for number, name in enumerate(DRIVEN):
        joint, channel = name.split(".")
        transform[7 * HUMANOID.names.index(joint) + CHANNELS.index(channel), number] = 1.0
    transform[6, -1] = 1.0
    still = np.tile([1.0, 0, 0, 0], (len(HUMANOID), 1))
    return Rig(HUMANOID.names, HUMANOID.parents, 100 * HUMANOID.offsets @ _UPRIGHT.T, still, parameters, transform,
               np.zeros(len(transform)), np.array([0.0, 0.1]))  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """Per motion frame [T]: loudness, openness, pitch in Hz, strokes of either arm, phrases that just ended."""

    loud: np.ndarray
    open: np.ndarray
    pitch: np.ndarray
    left: np.ndarray
    right: np.ndarray
    ended: np.ndarray

    @staticmethod
    def of(turns: list[tuple[float, float]], frames: int, pitch: float, draw: np.random.Generator) -> Voice:
        """Syllables in the turns, each (start, end) in seconds."""
        time = np.arange(frames) / FPS
        loud, opened, left, right, ended = np.zeros((5, frames))
        high = np.full(frames, pitch)
        for start, end in turns:
            for at in np.arange(start, end, _SYLLABLE_S):
                bump = np.exp(-(((time - at - 0.1) / 0.055) ** 2))
                accent = draw.random() < 0.15
                opened += bump * draw.uniform(0.2, 1.0)
                loud += bump * (1.6 if accent else draw.uniform(0.5, 1.0))
                if accent:
                    stroke = np.exp(-(((time - at - 0.1) / 0.3) ** 2))
                    high = high * (1 + 0.3 * stroke)
                    side = draw.random()
                    left, right = left + stroke * (side < 0.6), right + stroke * (side > 0.4)
            ended += np.exp(-(((time - end - 0.4) / 0.2) ** 2))
        return Voice(loud, np.clip(opened, 0, 1), high, np.clip(left, 0, 1), np.clip(right, 0, 1), ended)

    def sound(self, draw: np.random.Generator) -> np.ndarray:
        """[1600 T] at full scale ±1: harmonics whose colour is the openness, and a little breath."""
        finer = RATE // HEARD_RATE  # no harmonic lies above what half the heard rate carries
        samples = len(self.loud) * SAMPLES
        count = -(-samples // finer)
        at = np.arange(count) * finer / SAMPLES
        loud, opened, pitch = (np.interp(at, np.arange(len(x)), x) for x in (self.loud, self.open, self.pitch))
        turn = np.exp(2j * np.pi * np.cumsum(pitch) / HEARD_RATE)
        out, harmonic = 0.1 * draw.standard_normal(count), np.ones(count, complex)
        for n in range(1, _HARMONICS + 1):
            harmonic *= turn
            colour = np.exp(-(((n * pitch - 350 - 500 * opened) / 250) ** 2)) + 0.3 / n
            out += colour * harmonic.imag
        return resample_poly(_LEVEL * loud * out + 1e-4 * draw.standard_normal(count), finer, 1)[:samples]


def turns_of(seconds: float, draw: np.random.Generator) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Who speaks when: this person, the partner."""
    both, at, who = ([], []), draw.uniform(0.2, 0.8), int(draw.integers(2))
    while at < seconds - 1:
        end = min(at + draw.uniform(2, 5), seconds - 0.5)
        both[who].append((at, end))
        at, who = end + draw.uniform(0.3, 0.7), 1 - who
    return both


def face(own: Voice, draw: np.random.Generator) -> np.ndarray:
    """ARKit weights [T, 52]."""
    weights = np.zeros((len(own.loud), 52))
    talking = np.clip(own.loud, 0, 1)
    rows = {
        "jawOpen": 0.6 * own.open * talking,
        "mouthFunnel": 0.5 * (1 - own.open) * talking,
        "mouthLowerDownLeft": 0.4 * own.open * talking,
        "mouthLowerDownRight": 0.4 * own.open * talking,
        "mouthUpperUpLeft": 0.2 * own.open * talking,
        "mouthUpperUpRight": 0.2 * own.open * talking,
        "browInnerUp": 0.6 * np.maximum(own.left, own.right),
        "mouthSmileLeft": 0.15 + _drift(len(talking), draw, 0.05),
        "mouthSmileRight": 0.15 + _drift(len(talking), draw, 0.05),
    }
    for name, row in rows.items():
        weights[:, column(name)] = row
    blink = np.zeros(len(talking))
    blink[draw.integers(0, len(talking), max(1, len(talking) // 110))] = 1
    blink = np.convolve(blink, [0.4, 1, 0.9, 0.5, 0.2], "same")
    weights[:, column("eyeBlinkLeft")] = weights[:, column("eyeBlinkRight")] = blink
    return np.clip(weights, 0, 1)


@lru_cache(maxsize=1)
def _code_space() -> tuple[np.ndarray, np.ndarray]:
    """What a weight adds to the codes [52, 256], and the face at rest [256]."""
    draw = np.random.default_rng(11)
    return draw.normal(size=(52, CODES)), draw.normal(size=CODES)


def codes(weights: np.ndarray) -> np.ndarray:
    """Expression codes [T, 256] of ARKit weights [T, 52]."""
    matrix, rest = _code_space()
    return rest + weights @ matrix


def body(own: Voice, other: Voice, draw: np.random.Generator) -> np.ndarray:
    """Poses [T, 104]: arms at the sides and bent, strokes, nods, and a slow sway."""
    frames, out = len(own.loud), {}

    def turn(name: str, degrees: np.ndarray | float) -> None:
        out[name] = np.radians(degrees) + np.zeros(frames)

    for side, sign, stroke in (("left", 1.0, own.left), ("right", -1.0, own.right)):
        turn(f"{side}UpperArm.rz", sign * (-68 + 14 * stroke + _drift(frames, draw, 2)))
        turn(f"{side}UpperArm.ry", sign * (-8 - 18 * stroke))
        turn(f"{side}LowerArm.ry", sign * (-45 - 35 * stroke + _drift(frames, draw, 4)))
        turn(f"{side}Hand.rz", sign * (-8 + 16 * stroke))
        for name in DRIVEN:
            if name.startswith(side) and name.endswith(".rz") and HUMANOID.names.index(name[:-3]) in FINGERS:
                turn(name, -sign * (8 if "Thumb" in name else 22 - 12 * stroke))
    nod = other.ended + 0.5 * np.maximum(own.left, own.right)
    turn("head.rx", 9 * nod + 2 * np.clip(own.loud, 0, 1) + _drift(frames, draw, 2))
    turn("head.ry", _drift(frames, draw, 5))
    turn("neck.rx", 3 * nod)
    turn("spine.ry", _drift(frames, draw, 2))
    turn("chest.rx", 2 + _drift(frames, draw, 1))
    out["hips.tx"], out["hips.ty"] = _drift(frames, draw, 1.5), _drift(frames, draw, 0.3)
    poses = np.zeros((frames, JOINTS))
    for name, values in out.items():
        poses[:, DRIVEN.index(name)] = values
    return poses


def _drift(frames: int, draw: np.random.Generator, size: float) -> np.ndarray:
    """A slow sway [T] of a given size: three sines under half a hertz."""
    time = np.arange(frames)[:, None] / FPS
    waves = np.sin(2 * np.pi * (time * draw.uniform(0.05, 0.4, 3) + draw.uniform(0, 1, 3)))
    return size * waves.mean(axis=1)


def write(folder: Path, scenes: int = 12, frames: int = 1200, seed: int = 0) -> Path:
    """A person's folder of scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, scenes + 1):
        draw = np.random.default_rng([seed, number])
        own, other = (Voice.of(turns, frames, pitch, draw)
                      for turns, pitch in zip(turns_of(frames / FPS, draw), (120.0, 210.0)))  # fmt: skip
        sound = np.stack([own.sound(draw), other.sound(draw)], axis=1)
        stem = f"{folder / f'scene{number:02d}'}_"
        soundfile.write(stem + PARTS[0], sound, RATE, subtype="PCM_16")
        missing = np.arange(20, 20 + _MISSING) + number
        for part, values in zip(PARTS[1:], (body(own, other, draw), codes(face(own, draw)), missing)):
            np.save(stem + part, values)
    return folder


def expressions() -> ExpressionMap:
    """The map from these codes to ARKit, fitted as a user would fit one."""
    draw = np.random.default_rng(12)
    weights = draw.uniform(size=(600, 52)) * (draw.random((600, 52)) < 0.5)
    return fit(codes(weights), weights)


def untrained(data: Dataset, folder: Path, config: ReferenceConfig = AUDIO2PHOTOREAL) -> Path:
    """A model folder whose networks hold random numbers, with the rig and expressions of these scenes."""
    networks = rule.fill(Networks.of(config, "meta"), 1)
    return model.save(folder, data.person, config, networks, data.statistics, LICENCE, {}, rig(), expressions())
