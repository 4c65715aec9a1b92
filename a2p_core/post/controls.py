"""What an animator turns on a finished face, without running the model again. numpy only.

    controls = FaceControls(jaw=1.2, blink_rate=0.5)
    adjusted = apply(clip, controls)          # the clip itself stays as it was, so a slider never adds up
    rows = adjusted_weights(clip, controls, 300, 420)     # the same numbers for the frames in view alone

Lips that touch, and lower lips under the teeth, stay so whatever the strengths and the smoothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..clip import MotionClip
from ..errors import UserError
from ..face.spaces import ARKIT, MOUTH, UPPER, column
from . import lips
from .blinks import adjust_blinks
from .pins import apply_pins, pins_of
from .smooth import smooth


@dataclass(frozen=True)
class Dial:
    """One number of `FaceControls`: its range and what it says to a person."""

    name: str
    label: str
    neutral: float
    low: float
    high: float
    text: str


DIALS = (
    Dial("jaw", "Jaw", 1.0, 0.0, 2.0, "How far the jaw opens"),
    Dial("lips", "Lips", 1.0, 0.0, 2.0, "How much the lips round, spread, press and curl"),
    Dial("lip_close", "Lip Close", 0.0, -1.0, 1.0, "Lips nearer together or, below 0, further apart"),
    Dial("upper", "Upper Face", 1.0, 0.0, 2.0, "How much brows, cheeks and nose move"),
    Dial("blink_rate", "Blink Rate", 1.0, 0.0, 3.0, "How often the eyes blink; 0 is never"),
    Dial("blink_strength", "Blink Strength", 1.0, 0.0, 1.5, "How far a blink shuts the lids"),
    Dial("gaze", "Gaze", 1.0, 0.0, 2.0, "How far the eyes turn"),
    Dial("asymmetry", "Asymmetry", 0.0, -1.0, 1.0, "More on the performer's left or, below 0, on the right"),
    Dial("smoothing_ms", "Smoothing", 0.0, 0.0, 200.0, "Milliseconds over which curves are evened out"),
    Dial("sync_ms", "Sync", 0.0, -500.0, 500.0, "Milliseconds by which the face comes later"),
)
_BY_NAME = {dial.name: dial for dial in DIALS}
_PER_SHAPE = {"multiply": (0.0, 4.0), "offset": (-1.0, 1.0)}


@dataclass(frozen=True)
class FaceControls:
    """Strengths and offsets of a face; every default leaves it as it is. `DIALS` has ranges and meanings.

    `multiply` and `offset` map names of ARKit shapes to a factor (0 to 4) and to what is added (−1 to 1). Raises
    `UserError` for a name or a number that cannot be.
    """

    jaw: float = 1.0
    lips: float = 1.0
    lip_close: float = 0.0
    upper: float = 1.0
    blink_rate: float = 1.0
    blink_strength: float = 1.0
    gaze: float = 1.0
    asymmetry: float = 0.0
    smoothing_ms: float = 0.0
    sync_ms: float = 0.0
    multiply: Mapping[str, float] = field(default_factory=dict)
    offset: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for dial in DIALS:
            object.__setattr__(self, dial.name, _number(getattr(self, dial.name), dial.name, dial.low, dial.high))
        for name, (low, high) in _PER_SHAPE.items():
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise UserError(f"{name} must map shapes to numbers, for example jawOpen: 1.2.")
            unknown = [shape for shape in given if shape not in ARKIT]
            if unknown:
                raise UserError(f'There is no ARKit shape "{unknown[0]}" to {name}; jawOpen is one.')
            checked = {shape: _number(value, f"{name} of {shape}", low, high) for shape, value in given.items()}
            object.__setattr__(self, name, checked)

    @property
    def neutral(self) -> bool:
        return not self.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """What differs from neutral, as plain data for JSON or YAML."""
        dials = {d.name: getattr(self, d.name) for d in DIALS if getattr(self, d.name) != d.neutral}
        none = {"multiply": 1.0, "offset": 0.0}
        shapes = {name: {s: v for s, v in getattr(self, name).items() if v != none[name]} for name in _PER_SHAPE}
        return dials | {name: values for name, values in shapes.items() if values}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> FaceControls:
        """The reverse of `to_dict`. Raises `UserError` for a name that is no control."""
        if not isinstance(data, Mapping):
            raise UserError("Face controls are names with numbers, for example jaw: 1.2.")
        known = [f.name for f in fields(FaceControls)]
        unknown = [name for name in data if name not in known]
        if unknown:
            raise UserError(f'There is no face control "{unknown[0]}"; there are {", ".join(known)}.')
        return FaceControls(**data)

    def with_(self, **values: Any) -> FaceControls:
        """These controls with some others in their place."""
        return replace(self, **values)

    def save(self, path: Path) -> Path:
        """Write .json or .yaml."""
        from ..clip import atomic_path

        with atomic_path(path) as temporary:
            if Path(path).suffix.lower() == ".json":
                text = json.dumps(self.to_dict(), indent=2)
            else:
                import yaml

                text = yaml.safe_dump(self.to_dict(), sort_keys=False)
            temporary.write_text(text, encoding="utf-8")
        return Path(path)

    @staticmethod
    def load(path: Path) -> FaceControls:
        """Read what `save` wrote. Raises `UserError`."""
        import yaml

        try:
            data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))  # JSON is YAML
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            raise UserError(f"{path} cannot be read as face controls; give a .yaml or .json that A2P wrote.") from None
        return FaceControls.from_dict(data or {})


def _number(value: Any, name: str, low: float, high: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{name} is {value!r}, which is no number.") from None
    if not low <= number <= high:
        raise UserError(f"{name} is {number:g}; it must lie between {low:g} and {high:g}.")
    return number


# --- presets ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def presets() -> dict[str, tuple[str, FaceControls]]:
    """Name → (what it is for, controls) of the presets in `controls.yaml`."""
    import yaml

    data = yaml.safe_load((Path(__file__).parent / "controls.yaml").read_text(encoding="utf-8"))
    return {name: (entry.pop("for"), FaceControls.from_dict(entry)) for name, entry in data.items()}


def preset(name: str) -> FaceControls:
    """A preset by name. Raises `UserError`."""
    if name not in presets():
        raise UserError(f'There is no preset "{name}"; there are {", ".join(presets())}.')
    return presets()[name][1]


# --- applying them ---------------------------------------------------------------------------------------------------

_BLINKS = (column("eyeBlinkLeft"), column("eyeBlinkRight"))
_GAZE = tuple(i for i, name in enumerate(ARKIT) if name.startswith("eyeLook"))
_JAWS = (*tuple(i for i, name in enumerate(ARKIT) if name.startswith("jaw")), lips.CLOSE)
_LIPS = tuple(i for i in MOUTH if i not in _JAWS)
_BROWS = tuple(i for i in UPPER if i not in _BLINKS + _GAZE)
_SLOW = (*_JAWS, *_LIPS, *_BROWS)  #: lids and eyes are quick by nature
_SIDES = {name: [i for i in _SLOW if ARKIT[i].endswith(name)] for name in ("Left", "Right")}
_CLOSER = 0.2  #: weight of mouthClose, or of the jaw, that lip_close 1 stands for: 6 mm


def apply(clip: MotionClip, controls: FaceControls) -> MotionClip:
    """The clip with its face adjusted; neutral controls give the clip itself. Same input, same output, to the bit.

    Adjust the clip as it was generated: raises `UserError` for one that was adjusted before, or that has no face.
    """
    if controls.neutral:
        return clip
    return replace(
        clip, face_weights=adjusted_weights(clip, controls), meta={**clip.meta, "controls": controls.to_dict()}
    )


def adjusted_weights(clip: MotionClip, controls: FaceControls, first: int = 0, end: int | None = None) -> np.ndarray:
    """Frames [first, end) of what `apply` gives, [end − first, E] float32: just the same numbers, for less work."""
    if not clip.has_face:
        raise UserError("This clip has no face to adjust. Generate one with --face.")
    if clip.meta.get("controls"):
        raise UserError("This clip was adjusted before. Adjust the clip that was generated, so that nothing adds up.")
    first, end, _ = slice(first, end).indices(clip.frames)
    if controls.neutral or end <= first:
        return clip.face_weights[first:end].copy()
    places = [ARKIT.index(name) for name in clip.face_names if name in ARKIT]
    known = [i for i, name in enumerate(clip.face_names) if name in ARKIT]
    raw = np.zeros((clip.frames, len(ARKIT)), np.float32)
    raw[:, places] = clip.face_weights[:, known]
    made = _adjusted(raw, controls, clip, first, end)
    out = clip.face_weights[first:end].astype(np.float32)
    out[:, known] = made[:, places]
    return out


def _adjusted(raw: np.ndarray, controls: FaceControls, clip: MotionClip, first: int, end: int) -> np.ndarray:
    """Weights [end − first, 52] of the raw ones [T, 52]."""
    fps, frames = clip.fps, len(raw)
    sigma, late = controls.smoothing_ms * fps / 1000, controls.sync_ms * fps / 1000
    reach = int(np.ceil(3 * sigma)) + 1
    begin, stop = max(0, first - reach), min(frames, end + reach)
    raw = raw.copy()
    lids = adjust_blinks(
        raw[:, _BLINKS], controls.blink_rate, controls.blink_strength, int(clip.meta.get("seed", 0)), fps
    )
    raw[:, _BLINKS] = lids
    heard, closed, tucked = _late(raw, late, begin, stop, fps)
    out = _strengths(heard, controls)
    _draw_together(out, controls.lip_close, closed)
    _shapes(out, controls)
    keep = slice(first - begin, end - begin)
    if sigma:
        firm = (closed | tucked)[:, None]
        even = smooth(out[:, _SLOW], sigma)
        lips_ = np.isin(_SLOW, MOUTH)
        out[:, _SLOW] = np.where(firm & lips_, out[:, _SLOW], even)
    out, heard, closed, tucked = out[keep], heard[keep], closed[keep], tucked[keep]
    rows = np.flatnonzero(tucked & ~closed)
    out[np.ix_(rows, lips.TUCK)] = heard[np.ix_(rows, lips.TUCK)]
    lips.shut(out, closed, heard[:, lips.JAW])
    np.clip(out, 0, 1, out=out)
    return apply_pins(out, pins_of(clip), fps, first)


def _late(raw: np.ndarray, late: float, begin: int, stop: int, fps: float) -> tuple[np.ndarray, ...]:
    """Frames begin..stop of `raw` [T, 52] `late` frames later, and where lips touch and tuck there; ends are held."""
    at = np.clip(np.arange(begin, stop) - late, 0, len(raw) - 1)
    left = np.floor(at).astype(int)
    along = (at - left).astype(np.float32)[:, None]
    right = np.minimum(left + 1, len(raw) - 1)
    out = raw[left] if late == int(late) else raw[left] * (1 - along) + raw[right] * along
    around = round((lips.LONGEST_S + lips.BESIDE_S) * fps) + 2
    low, high = max(0, int(left[0]) - around), min(len(raw), int(right[-1]) + 1 + around)
    nearest = np.minimum(left + (along[:, 0] >= 0.5), len(raw) - 1) - low
    part = raw[low:high]
    return out, lips.closed(part, fps)[nearest], lips.tucked(part)[nearest]


def _strengths(heard: np.ndarray, controls: FaceControls) -> np.ndarray:
    factors = np.ones(len(ARKIT), np.float32)
    for columns, strength in (
        (_JAWS, controls.jaw),
        (_LIPS, controls.lips),
        (_BROWS, controls.upper),
        (_GAZE, controls.gaze),
        (_SIDES["Left"], 1 + controls.asymmetry),
        (_SIDES["Right"], 1 - controls.asymmetry),
    ):
        factors[list(columns)] *= np.float32(strength)
    return heard * factors


def _draw_together(out: np.ndarray, bias: float, closed: np.ndarray) -> None:
    """Lips nearer (bias > 0) or, outside of contacts, further apart, in place."""
    if bias > 0:
        out[:, lips.CLOSE] += np.minimum(np.float32(bias * _CLOSER), lips.gap(out) / np.float32(lips.OPEN_MM))
    elif bias < 0:
        apart = np.where(closed, 0, -bias * _CLOSER).astype(np.float32)
        spare = np.minimum(out[:, lips.CLOSE], apart)
        out[:, lips.CLOSE] -= spare
        out[:, lips.JAW] += apart - spare


def _shapes(out: np.ndarray, controls: FaceControls) -> None:
    for name, factor in controls.multiply.items():
        out[:, column(name)] *= np.float32(factor)
    for name, added in controls.offset.items():
        out[:, column(name)] += np.float32(added)
