"""The body corpus: readers, retargeting, choreography on made signals, BVH round trip."""

from pathlib import Path

import numpy as np
import pytest

from a2p_core.audio.hearing import listen
from a2p_core.clip import MotionClip
from a2p_core.data.body import choreographer, fbx, joints, library, retarget, robots, skm, sources, strokes
from a2p_core.data.body.gltf import Glb
from a2p_core.data.paths import data_root
from a2p_core.errors import UserError
from a2p_core.skeleton import bvh, rotations
from a2p_core.skeleton.humanoid import HUMANOID, mirror
from a2p_core.skeleton.kinematics import forward


def _data(*parts: str) -> Path:
    try:
        path = data_root().joinpath(*parts)
    except UserError as error:
        pytest.skip(str(error))
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def _direction(quats: np.ndarray, a: str, b: str) -> np.ndarray:
    _, places = forward(quats)
    bone = places[..., HUMANOID.index(b), :] - places[..., HUMANOID.index(a), :]
    return bone / np.linalg.norm(bone, axis=-1, keepdims=True)


SK = """# SK
skeleton
root JtRoot
{ offset 0 1 0
  prerot axis 0 0 0 ang 0
  channel Quat
  joint JtSpineA
  { offset 0 0.1 0
    prerot axis 0 0 1 ang 90
    channel Quat
  }
}
"""
SKM = """SkMotion
name "x"
channels 5
JtRoot XPos
JtRoot YPos
JtRoot ZPos
JtRoot Quat
JtSpineA Quat

frames 2
kt 0 fr 0 0 0 0 0 0 0 0 0
kt 0.0333 fr 0.1 0 0 0 0 0 1.5707963 0 0

ready time: 0.01
emphasis time: 0.02
"""


def test_skm_turns_are_prerot_then_channel():
    clip = skm.read(SKM, skm.read_skeleton(SK), "x")
    assert clip.names == ("JtRoot", "JtSpineA") and clip.marks == {"ready": 0.01, "emphasis": 0.02}
    np.testing.assert_allclose(clip.rest_places, [[0, 0, 1], [0, 0, 1.1]], atol=1e-9)
    np.testing.assert_allclose(clip.places[1, 0], [0.1, 0, 1], atol=1e-9)
    # A quarter about the joint's own x, which prerot has laid along the world's up axis.
    since_rest = rotations.multiply(clip.turns[1, 1], rotations.conjugate(clip.rest_turns[1]))
    np.testing.assert_allclose(rotations.rotate(since_rest, np.array([1.0, 0, 0])), [0, 1, 0], atol=1e-6)


def test_a_real_skm_stands_and_gestures():
    folder = _data("motion", "ict_common_skm")
    path = folder / "HandsAtSide_Arms_Chop.skm.gz"
    clip = skm.read(sources._unpacked(path), skm.common_skeleton(), "chop", 0.01)
    assert {"ready", "strokeStart", "emphasis", "stroke", "relax"} <= set(clip.marks)
    quats, _ = retarget.retarget(clip, joints.ICT_COMMON)
    assert _direction(quats[0], "leftUpperArm", "leftHand")[2] < -0.9  # arms hang at first
    hit = quats[round(clip.marks["emphasis"] * 30)]
    assert _direction(hit, "leftLowerArm", "leftHand")[1] < -0.5  # and point ahead on the stroke


def test_a_real_glb_idle_hangs_its_arms():
    glb = Glb(_data("motion", "vircadia_idle", "AvatarAnimations_618cb807.glb"))
    quats, _ = retarget.retarget(glb.read("idle02"), joints.VIRCADIA)
    assert _direction(quats[10], "leftUpperArm", "leftHand")[2] < -0.9
    assert _direction(quats[10], "rightHand", "rightMiddleDistal")[2] < -0.6
    assert _direction(quats[10], "hips", "head")[2] > 0.95


def test_a_real_bvh_idle_stands():
    path = _data("motion", "react_idle", "003_genuine.bvh.gz")
    clip = sources.from_bvh(sources._unpacked(path), "idle", 1.0)
    assert abs(1 / np.diff(clip.times).mean() - 24) < 0.1 and len(clip.names) == 19
    quats, _ = retarget.retarget(clip, joints.REACT)
    assert _direction(quats[::50], "hips", "head")[:, 2].min() > 0.8


def _clip(quats: np.ndarray, root: np.ndarray | None = None) -> MotionClip:
    root = np.tile(HUMANOID.offsets[0], (len(quats), 1)) if root is None else root
    return MotionClip(np.zeros((len(quats), 52), np.float32), quats.astype(np.float32), root.astype(np.float32))


def test_bvh_round_trip(tmp_path):
    rng = np.random.default_rng(3)
    turns = rng.normal(0, 0.5, (1, 52, 3)) + np.cumsum(rng.normal(0, 0.03, (40, 52, 3)), axis=0)
    clip = _clip(rotations.from_rotvec(turns), rng.normal(0, 1, (40, 3)))
    file = bvh.read(bvh.write(clip, tmp_path / "clip.bvh"))
    assert sorted(file.names) == sorted(HUMANOID.names) and abs(file.fps - 30) < 1e-3
    order = [file.names.index(name) for name in HUMANOID.names]
    back = bvh.turn_axes(file.quats[:, order], bvh.to_z_up)
    apart = rotations.to_rotvec(rotations.multiply(rotations.conjugate(clip.joint_quats.astype(float)), back))
    assert np.degrees(np.linalg.norm(apart, axis=-1)).max() < 0.5
    np.testing.assert_allclose(bvh.to_z_up(file.places[:, 0]) / bvh.CM, clip.root_positions, atol=1e-5)
    np.testing.assert_allclose(bvh.to_z_up(file.offsets[order]) / bvh.CM, HUMANOID.offsets, atol=1e-6)


def test_damaged_bvh_is_a_sentence(tmp_path):
    (tmp_path / "bad.bvh").write_text("HIERARCHY\nROOT a\n{ OFFSET 0 0")
    with pytest.raises(UserError):
        bvh.read(tmp_path / "bad.bvh")


def test_arms_down_rest_becomes_arms_down(tmp_path):
    """A skeleton that rests with hanging arms: its rest hangs on ours, its T pose is our identity."""
    text = """HIERARCHY
    ROOT Hips
    { OFFSET 0 0 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
      JOINT LeftShoulder
      { OFFSET 14 50 0 CHANNELS 3 Zrotation Xrotation Yrotation
        JOINT LeftElbow
        { OFFSET 0 -30 0 CHANNELS 3 Zrotation Xrotation Yrotation
          JOINT LeftWrist
          { OFFSET 0 -25 0 CHANNELS 3 Zrotation Xrotation Yrotation
            End Site { OFFSET 0 -10 0 } } } } }
    MOTION
    Frames: 2
    Frame Time: 0.0333333
    0 90 0 0 0 0 0 0 0 0 0 0 0 0 0
    0 90 0 0 0 0 90 0 0 0 0 0 0 0 0
    """
    clip = sources.from_bvh(text, "rest", 0.01)
    quats, _ = retarget.retarget(clip, joints.ICT_BVH)
    np.testing.assert_allclose(_direction(quats[0], "leftUpperArm", "leftHand"), [0, 0, -1], atol=1e-6)
    np.testing.assert_allclose(np.abs(quats[1][:, 0]), 1.0, atol=1e-6)


def _tone(seconds: float, bursts: list[tuple[float, float]]) -> np.ndarray:
    """A log-mel [N, 80] with syllables (4 a second) in the bursts and silence elsewhere."""
    t = np.arange(int(seconds * 100)) / 100
    mel = np.full((len(t), 80), -2.0, np.float32)
    for first, end in bursts:
        inside = (t >= first) & (t < end)
        mel[inside] = (0.3 + 0.5 * np.sin(2 * np.pi * 2 * (t[inside] - first)) ** 2)[:, None]
    return mel


@pytest.fixture(scope="module")
def small_library() -> library.Library:
    """Two made gestures and an idle, so that no data is needed."""
    down = np.tile(rotations.IDENTITY, (52, 1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        down[HUMANOID.index(side + "UpperArm")] = rotations.from_rotvec(np.array([0, sign * 1.35, 0]))
    lift = np.sin(np.linspace(0, np.pi, 60)) ** 2
    units = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        quats = np.tile(down, (60, 1, 1))
        elbow = np.stack([0 * lift, 0 * lift, -sign * 1.6 * lift], axis=-1)
        quats[:, HUMANOID.index(side + "LowerArm")] = rotations.from_rotvec(elbow)
        arms = (side == "left", side == "right")
        units.append(library.Unit(side, "made", "beat", 1.0, arms, quats, 0.5, 0.6, 1.0, 1.3))
    idle = library.Idle("still", "made", np.tile(down, (400, 1, 1)), np.tile(HUMANOID.offsets[0], (400, 1)), True)
    return library.Library(tuple(units), (idle,), (down,))


def test_strokes_follow_the_voice(small_library):
    mel = _tone(20, [(3, 7), (13, 17)])
    done = choreographer.perform_mels(mel, np.full_like(mel, -2.0), small_library, seed=1)
    assert done.quats.shape == (600, 52, 4) and np.isfinite(done.quats).all() and np.isfinite(done.root).all()
    at = np.flatnonzero(done.strokes) / 30
    assert len(at) and np.all(((at > 2.2) & (at < 7.3)) | ((at > 12.2) & (at < 17.3)))
    assert done.speaking[4 * 30] and not done.speaking[10 * 30] and not done.nods.any()
    height = library.wrist_places(done.quats)[..., 2].max(axis=1)
    assert height[done.speaking > 0].max() > height[9 * 30 : 11 * 30].max() + 0.1  # hands up in speech, down at rest
    speed = np.linalg.norm(np.diff(done.quats.astype(float), axis=0), axis=-1).max() * 2 * 30
    assert speed < 12.0  # radians a second: nothing pops


def test_nods_follow_the_partner(small_library):
    silence = np.full((2000, 80), -2.0, np.float32)
    for shift in (0.0, 5.0):
        partner = _tone(20, [(2 + shift, 5 + shift), (7 + shift, 9 + shift)])
        nods = [
            np.flatnonzero(choreographer.perform_mels(silence, partner, small_library, seed=s).nods) / 30 - shift
            for s in range(4)
        ]
        times = np.concatenate(nods)
        assert len(times) and times.min() > 4.5 and times.max() < 12.0


def test_feet_stay_planted(small_library):
    mel = _tone(12, [(3, 9)])
    done = choreographer.perform_mels(mel, np.full_like(mel, -2.0), small_library, seed=5)
    _, places = forward(done.quats.astype(float), done.root.astype(float))
    for side in ("left", "right"):
        foot = places[:, HUMANOID.index(side + "Foot")]
        assert np.ptp(foot, axis=0).max() < 0.005
        knee, hip = places[:, HUMANOID.index(side + "LowerLeg")], places[:, HUMANOID.index(side + "UpperLeg")]
        assert np.all(knee[:, 1] - 0.5 * (hip + foot)[:, 1] < 0.01)  # knees bend forward


def test_phrases_and_accents():
    heard = listen(_tone(20, [(3, 7), (13, 17)]))
    np.testing.assert_allclose(heard.phrases, [(90, 210), (390, 510)], atol=4)
    assert 8 < len(heard.accents) < 22 and not listen(np.full((500, 80), -2.0)).speaking.any()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Gestures/ChrBrad@Idle01_BeatHighBt01", "beat"),
        ("HandsAtSide_RArm_GestureOffer", "offer"),
        ("x@Idle03", "idle"),
    ],
)
def test_names_give_classes(name, kind):
    assert library.classify(name)[0] == kind
    assert library.classify("ChrGarza@IdleStand01_ScrewYouRt01")[0] is None


def test_mirrored_unit_swaps_arms(small_library):
    unit = small_library.units[0]
    other = unit.mirrored()
    assert other.arms == (False, True)
    np.testing.assert_allclose(mirror(other.quats, np.zeros((60, 3)))[0], unit.quats)


def test_a_real_fbx_talks():
    """The file's own places, which the retargeted hands must follow: both hands up in front of the chest."""
    path = _data("motion", "hifi_avatar", "talk04__be2ba0a.fbx")
    clip = fbx.read(path, skip=1)
    assert len(clip.times) == 500 and "LeftHandIndex3" in clip.names
    quats, _ = retarget.retarget(clip, joints.VIRCADIA)
    for side in ("left", "right"):
        ours = _direction(quats, side + "UpperArm", side + "Hand")
        shoulder, hand = (clip.names.index(joints.VIRCADIA[side + n]) for n in ("UpperArm", "Hand"))
        theirs = clip.places[:, hand] - clip.places[:, shoulder]
        theirs /= np.linalg.norm(theirs, axis=-1, keepdims=True)
        assert np.degrees(np.arccos(np.clip(np.sum(ours * theirs, axis=-1), -1, 1))).max() < 12
    assert library.wrist_places(quats[250:251])[0, :, 2].min() > -0.25 > library.wrist_places(quats[:1])[0, :, 2].max()


def test_a_damaged_fbx_is_a_sentence(tmp_path):
    (tmp_path / "bad.fbx").write_bytes(b"; FBX 7.4.0 project file")
    with pytest.raises(UserError):
        fbx.read(tmp_path / "bad.fbx")


def test_robots_raise_their_arms():
    rest = np.tile(rotations.IDENTITY, (52, 1))
    key = '<Key frame="0" value="{}"/><Key frame="25" value="{}"/>'
    curve = '<ActuatorCurve actuator="{}" fps="25">' + key + "</ActuatorCurve>"
    rows = (
        curve.format("LShoulderPitch", 90, -80) + curve.format("LElbowRoll", 0, 0) + curve.format("LShoulderRoll", 0, 0)
    )
    quats = robots.pepper(f"<Animation>{rows}</Animation>", rest)
    assert len(quats) == 31
    aim = _direction(quats, "leftUpperArm", "leftHand")
    assert aim[0, 2] < -0.95 and aim[-1, 2] > 0.9
    np.testing.assert_allclose(_direction(quats, "rightUpperArm", "rightLowerArm")[0], aim[0] * [-1, 1, 1], atol=0.3)


def test_long_clips_are_cut_at_their_strokes():
    t = np.arange(300) / 30
    up = sum(size * (1 + np.tanh((t - at) * 12)) / 2 for size, at in ((0.4, 2), (0.25, 4), (-0.65, 6)))
    wrists = np.zeros((300, 2, 3))
    wrists[:, :, 2] = -0.45
    wrists[:, 1, 2] += up
    found = strokes.cut(wrists)
    assert len(found) == 2 and all(s.arms == (False, True) for s in found)  # the way down at 6 s is none
    for stroke, at in zip(found, (2, 4)):
        assert abs(stroke.first / 30 + stroke.hit - at) < 0.25 and stroke.relax > stroke.hit > stroke.start


def test_elbows_of_handless_sources_fold_as_hinges():
    rng = np.random.default_rng(2)
    quats = np.tile(rotations.IDENTITY, (60, 52, 1))
    swing = np.linspace(0.6, 1.6, 60)
    lower, upper = HUMANOID.index("leftLowerArm"), HUMANOID.index("leftUpperArm")
    quats[:, lower] = rotations.from_rotvec(np.stack([0 * swing, 0.8 * swing, -0.6 * swing], axis=1))
    quats[:, upper] = rotations.from_rotvec(rng.normal(0, 0.4, 3))
    done = library.hinged(quats)
    before, after = forward(quats)[1], forward(done)[1]
    hand = HUMANOID.index("leftHand")
    assert np.abs(before[:, hand] - after[:, hand])[5:-5].max() < 0.01
    turn = rotations.to_rotvec(done[:, lower])
    assert np.abs(turn[:, :2]).max() < 1e-6 and (turn[:, 2] < 0).all()
