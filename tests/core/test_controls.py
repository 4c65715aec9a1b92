"""What an animator turns on a finished face: strengths, blinks, sync, presets, files and `a2p adjust`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import a2p

from a2p_core.clip import MotionClip
from a2p_core.errors import UserError
from a2p_core.face import mouth
from a2p_core.face.spaces import ARKIT, MOUTH, column
from a2p_core.post import lips
from a2p_core.post.blinks import find_blinks
from a2p_core.post.controls import DIALS, FaceControls, adjusted_weights, apply, preset, presets
from a2p_core.post.eyes import add_blinks
from a2p_core.post.pins import LipPin, pin
from a2p_core.skeleton.humanoid import HUMANOID

LIDS = [column("eyeBlinkLeft"), column("eyeBlinkRight")]


def talking(frames: int = 600, fps: float = 30.0) -> MotionClip:
    """A face that talks: opens and closes four times a second, tucks now and then, rests at the end, blinks, looks."""
    t = np.arange(frames) / fps
    weights = np.zeros((frames, 52), np.float32)
    cycle = np.sin(2 * np.pi * 1.9 * t)
    weights[:, column("jawOpen")] = 0.25 + 0.2 * cycle
    weights[:, column("mouthFunnel")] = 0.15 + 0.1 * np.sin(3 * t)
    weights[:, [column("mouthLowerDownLeft"), column("mouthLowerDownRight")]] = 0.1
    touch = cycle < -0.93
    weights[touch] *= 0
    weights[touch, column("jawOpen")] = weights[touch, column("mouthClose")] = 0.15
    tuck = (t % 2.3 > 1.0) & (t % 2.3 < 1.1) & ~touch
    weights[tuck, column("mouthRollLower")], weights[tuck, column("jawOpen")] = 0.45, 0.05
    weights[tuck, column("mouthFunnel")] = 0
    weights[-90:, list(MOUTH)] = 0
    weights[:, column("browInnerUp")] = 0.3 + 0.2 * np.sin(t)
    weights[:, column("eyeLookOutLeft")] = 0.2
    weights = add_blinks(weights, 4)
    return MotionClip(
        face_weights=weights,
        joint_quats=np.tile(np.float32([1, 0, 0, 0]), (frames, 52, 1)),
        root_positions=np.zeros((frames, 3), np.float32),
        joint_names=HUMANOID.names,
        fps=fps,
        meta={"seed": 4},
    )


CLIP = talking()
BUSY = FaceControls(
    jaw=1.5,
    lips=1.3,
    lip_close=-0.2,
    upper=1.4,
    blink_rate=1.7,
    blink_strength=0.8,
    gaze=0.5,
    asymmetry=0.2,
    smoothing_ms=80,
    sync_ms=47,
    multiply={"jawOpen": 1.1},
    offset={"browInnerUp": 0.1},
)


def changed(controls: FaceControls) -> np.ndarray:
    return apply(CLIP, controls).face_weights


def gap(weights: np.ndarray) -> np.ndarray:
    return mouth.inner_gap(mouth.vertices(weights))


def test_neutral_is_the_clip_itself_and_nothing_is_ever_written_into_it():
    before = CLIP.face_weights.copy()
    assert apply(CLIP, FaceControls()) is CLIP
    out = apply(CLIP, BUSY)
    assert np.array_equal(CLIP.face_weights, before) and not np.array_equal(out.face_weights, before)
    assert np.array_equal(out.joint_quats, CLIP.joint_quats) and out.frames == CLIP.frames
    assert out.face_weights.min() >= 0 and out.face_weights.max() <= 1


def test_the_same_comes_out_again_and_of_any_stretch_of_frames():
    whole = changed(BUSY)
    assert np.array_equal(whole, changed(BUSY))
    for first in range(0, 600, 41):
        assert np.array_equal(adjusted_weights(CLIP, BUSY, first, first + 60), whole[first : first + 60]), first


def test_each_dial_moves_its_own_part():
    parts = {
        "jaw": [column("jawOpen")],
        "upper": [column("browInnerUp")],
        "gaze": [column("eyeLookOutLeft")],
    }
    for name, columns in parts.items():
        out = changed(FaceControls(**{name: 0.5}))
        free = ~lips.tucked(CLIP.face_weights)
        assert np.allclose(out[free][:, columns], 0.5 * CLIP.face_weights[free][:, columns], atol=1e-6), name
        others = [i for i in range(52) if i not in columns and i not in MOUTH]
        assert np.array_equal(out[:, others], CLIP.face_weights[:, others]), name
    sided = changed(FaceControls(asymmetry=0.5))
    left, right = column("mouthLowerDownLeft"), column("mouthLowerDownRight")
    free = CLIP.face_weights[:, left] > 0
    assert (sided[free, left] > sided[free, right]).mean() > 0.9
    assert changed(FaceControls(multiply={"browInnerUp": 0}))[:, column("browInnerUp")].max() == 0


@pytest.mark.parametrize(
    "controls",
    [
        FaceControls(jaw=2),
        FaceControls(jaw=1.6, lips=2),
        FaceControls(smoothing_ms=150),
        FaceControls(lip_close=-1),
        FaceControls(sync_ms=50),
        FaceControls(sync_ms=-77, smoothing_ms=60, jaw=1.4),
    ],
)
def test_lips_that_touch_stay_so(controls: FaceControls):
    touching = lips.closed(CLIP.face_weights, 30)
    edges = np.flatnonzero(np.diff(touching.astype(int)) == 1)
    late = controls.sync_ms * 0.03
    shut = gap(changed(controls)) < 0.5
    assert len(edges) > 20
    for first in edges:
        assert shut[int(first + late) : int(first + late) + 5].any(), first
    if not late:
        assert shut[touching].all()
    if controls.smoothing_ms and not late:
        tucks = lips.tucked(CLIP.face_weights)
        assert tucks.any() and lips.tucked(changed(controls))[tucks].all()


def test_lips_apart_also_part_at_rest_but_not_in_a_sound():
    out = gap(changed(FaceControls(lip_close=-0.5)))
    assert (out[-60:] > 2).all(), "a mouth at rest hangs open"
    assert out[lips.closed(CLIP.face_weights, 30)].max() < 0.5
    closer = gap(changed(FaceControls(lip_close=0.5)))
    assert (closer <= gap(CLIP.face_weights) + 1e-3).all() and closer.mean() < 0.9 * gap(CLIP.face_weights).mean()


def blinks(weights: np.ndarray) -> list[int]:
    return [(a + b) // 2 for a, b in find_blinks(weights[:, LIDS], 30)]


def test_blinks_come_and_go_one_by_one():
    counts = [len(blinks(changed(FaceControls(blink_rate=r)))) for r in (0, 0.5, 1, 1.5, 2, 3)]
    own = len(blinks(CLIP.face_weights))
    assert counts[0] == 0 and counts[2] == own and counts == sorted(counts)
    assert counts[1] in (own // 2, -(-own // 2)) and counts[4] >= 1.7 * own
    few, more = (blinks(changed(FaceControls(blink_rate=r))) for r in (1.4, 2.2))
    assert all(min(abs(a - b) for b in more) <= 2 for a in few), "those that are there stay where they are"
    assert set(blinks(changed(FaceControls(blink_rate=0.5)))) <= set(blinks(CLIP.face_weights))


def test_blinks_weaker_and_smoothing_leaves_them():
    weak = changed(FaceControls(blink_strength=0.4))[:, LIDS]
    assert 0.3 < weak.max() < 0.5
    assert np.array_equal(changed(FaceControls(smoothing_ms=150))[:, LIDS], CLIP.face_weights[:, LIDS])


def test_sync_moves_by_parts_of_a_frame():
    brow = column("browInnerUp")
    later = changed(FaceControls(sync_ms=1000 / 30 * 2.5))[:, brow]
    at = np.clip(np.arange(600) - 2.5, 0, 599)
    assert np.allclose(later, np.interp(at, np.arange(600), CLIP.face_weights[:, brow]), atol=1e-5)
    whole = changed(FaceControls(sync_ms=-100))
    assert np.array_equal(whole[100:200, brow], CLIP.face_weights[103:203, brow])


def test_other_frame_rates_and_other_faces():
    fast = talking(1200, 60.0)
    assert lips.gap(apply(fast, FaceControls(jaw=2)).face_weights)[lips.closed(fast.face_weights, 60)].max() < 0.5
    few = replace(CLIP, face_weights=CLIP.face_weights[:, [17, 2, 40]], face_names=("jawOpen", "other", "browInnerUp"))
    out = apply(replace(few, face_names=(ARKIT[17], "other", "browInnerUp")), FaceControls(upper=0.5)).face_weights
    assert np.array_equal(out[:, 1], few.face_weights[:, 1]) and out.shape == (600, 3)


def test_adding_up_is_refused():
    once = apply(CLIP, FaceControls(jaw=1.2))
    assert once.meta["controls"] == {"jaw": 1.2}
    with pytest.raises(UserError, match="adjusted before"):
        apply(once, FaceControls(jaw=1.2))


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"jaw": 9}, "between 0 and 2"),
        ({"jaw": "wide"}, "no number"),
        ({"chin": 1}, "no face control"),
        ({"multiply": {"jawOpn": 1}}, "jawOpn"),
        ({"offset": {"jawOpen": 3}}, "between -1 and 1"),
        ({"multiply": 2}, "map shapes"),
        ({"sync_ms": float("nan")}, "between"),
    ],
)
def test_wrong_controls_get_a_sentence(data: dict, part: str):
    with pytest.raises(UserError, match=part):
        FaceControls.from_dict(data)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_round_trip(tmp_path: Path, suffix: str):
    assert FaceControls.load(BUSY.save(tmp_path / f"mine{suffix}")) == BUSY
    assert FaceControls.load(FaceControls().save(tmp_path / f"none{suffix}")).neutral
    (tmp_path / "bad.yaml").write_text("jaw: [")
    for path in (tmp_path / "bad.yaml", tmp_path / "missing.yaml"):
        with pytest.raises(UserError, match="cannot be read"):
            FaceControls.load(path)


def test_presets_are_data():
    assert next(iter(presets())) == "natural" and preset("natural").neutral
    assert {"subtle", "broad", "listening"} <= set(presets())
    opening = {name: gap(apply(CLIP, preset(name)).face_weights).mean() for name in presets()}
    assert opening["listening"] < opening["subtle"] < opening["natural"] < opening["clear"] < opening["broad"]
    with pytest.raises(UserError, match="subtle"):
        preset("loud")
    assert all(d.low <= d.neutral <= d.high and d.text for d in DIALS)


# --- lip pins --------------------------------------------------------------------------------------------------------


def test_pinned_lips_stay_so_and_are_eased_into():
    pins = [LipPin(3.0, "closed"), LipPin(7.0, "open", 0.2), LipPin(9.0, "round", 0.2)]
    made = pin(CLIP, pins)
    out = made.face_weights
    points = mouth.vertices(out)
    assert gap(out)[[90]].max() < 0.5 and gap(out)[208:213].min() > 10 and mouth.rounding(points)[268:273].min() > 12
    far = np.ones(600, bool)
    for p in pins:
        far[int((p.time_s - 0.3) * 30) : int((p.time_s + 0.3) * 30)] = False
    assert np.array_equal(out[far], CLIP.face_weights[far])
    assert np.allclose(pin(made, pins).face_weights, out, atol=1e-5), "pinning twice changes nothing"
    assert [p["kind"] for p in made.meta["lip_pins"]] == ["closed", "open", "round"]
    assert np.abs(np.diff(out[200:220, column("jawOpen")])).max() < 0.25
    for controls in (FaceControls(jaw=0.3), FaceControls(smoothing_ms=150, lip_close=1), FaceControls(sync_ms=200)):
        kept = apply(made, controls).face_weights
        assert gap(kept)[90] < 0.5 and gap(kept)[208:213].min() > 8, controls


def test_pins_as_text_and_wrong_pins():
    assert LipPin.parse("closed@1.25") == LipPin(1.25, "closed") and LipPin.parse("open@2+0.5").hold_s == 0.5
    for text, part in (("shut@1", "none of them"), ("closed", "no lip pin"), ("closed@-1", "0 or more")):
        with pytest.raises(UserError, match=part):
            LipPin.parse(text)
    with pytest.raises(UserError, match="after the end"):
        pin(CLIP, [LipPin(99, "open")])


# --- a2p adjust ------------------------------------------------------------------------------------------------------


def test_adjust_writes_beside_the_clip(tmp_path: Path):
    source = CLIP.save(tmp_path / "line.npz")
    done = a2p("adjust", source, "--preset", "subtle", "--jaw", 1.3, "--multiply", "browInnerUp=0.5", "--pin",
               "closed@3", "--keep", tmp_path / "k.yaml", "-o", tmp_path / "out.npz")  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = preset("subtle").with_(jaw=1.3, multiply={"browInnerUp": 0.5})
    made = MotionClip.load(tmp_path / "out.npz")
    assert np.array_equal(made.face_weights, apply(pin(CLIP, [LipPin(3, "closed")]), wanted).face_weights)
    assert FaceControls.load(tmp_path / "k.yaml") == wanted and made.meta["controls"] == wanted.to_dict()
    again = a2p("adjust", source, "--controls", tmp_path / "k.yaml", "-o", source)
    assert again.returncode == 2 and "overwritten" in again.stderr
    assert np.array_equal(MotionClip.load(source).face_weights, CLIP.face_weights)
