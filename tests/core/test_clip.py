"""MotionClip on disk: round trip, damage, another frame rate, and writing whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from a2p_core.clip import SCHEMA_VERSION, MotionClip, atomic_path
from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID


@pytest.fixture
def clip() -> MotionClip:
    draw = np.random.default_rng(0)
    quats = rotations.normalize(draw.standard_normal((20, 52, 4))).astype(np.float32)
    return MotionClip(
        face_weights=draw.random((20, 52), np.float32),
        joint_quats=quats,
        root_positions=draw.standard_normal((20, 3)).astype(np.float32),
        guide_tokens=np.arange(8, dtype=np.int32).reshape(2, 4),
        guide_quats=quats[:2],
        start_s=1.25,
        meta={"audio": {"self": {"name": "голос.wav"}}, "seed": 7},
    )


def test_round_trip(clip: MotionClip, tmp_path: Path):
    path = clip.save(tmp_path / "новая папка" / "clip one.npz")
    back = MotionClip.load(path)
    for name in ("face_weights", "joint_quats", "root_positions", "rest_offsets", "guide_tokens", "guide_quats"):
        assert np.array_equal(getattr(back, name), getattr(clip, name)), name
        assert getattr(back, name).dtype == getattr(clip, name).dtype, name
    assert (back.face_names, back.joint_names, back.joint_parents) == (ARKIT, HUMANOID.names, HUMANOID.parents)
    assert (back.face_space, back.fps, back.start_s, back.meta) == ("arkit52", 30.0, 1.25, clip.meta)


def test_the_file_is_the_contract(clip: MotionClip, tmp_path: Path):
    """Other programs read these keys; no later version may drop one."""
    with np.load(clip.save(tmp_path / "a.npz"), allow_pickle=False) as data:
        assert {name: (data[name].dtype.kind, data[name].ndim) for name in data.files} == {
            "schema_version": ("i", 0),
            "face_weights": ("f", 2),
            "face_names": ("U", 1),
            "face_space": ("U", 0),
            "joint_quats": ("f", 3),
            "joint_names": ("U", 1),
            "joint_parents": ("i", 1),
            "rest_offsets": ("f", 2),
            "root_positions": ("f", 2),
            "guide_tokens": ("i", 2),
            "guide_quats": ("f", 3),
            "audio_print": ("i", 2),
            "fps": ("f", 0),
            "start_s": ("f", 0),
            "meta": ("U", 0),
        }


def test_damaged_files_are_told(clip: MotionClip, tmp_path: Path):
    path = clip.save(tmp_path / "a.npz")
    whole = path.read_bytes()
    for kind, content in {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"not a clip",
        "scratched": whole[:4000] + bytes(200) + whole[4200:],
    }.items():
        bad = tmp_path / f"{kind}.npz"
        bad.write_bytes(content)
        with pytest.raises(UserError, match="no A2P motion clip"):
            MotionClip.load(bad)
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(UserError, match="no A2P motion clip"):
        MotionClip.load(tmp_path / "other.npz")
    with pytest.raises(UserError, match="There is no clip"):
        MotionClip.load(tmp_path / "missing.npz")


def test_a_pickle_is_never_opened(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    np.savez(tmp_path / "trap.npz", schema_version=np.array([Trap()], dtype=object))
    with pytest.raises(UserError):
        MotionClip.load(tmp_path / "trap.npz")
    assert not (tmp_path / "sprung").exists()


def test_a_newer_schema_is_told(clip: MotionClip, tmp_path: Path):
    with np.load(clip.save(tmp_path / "a.npz")) as data:
        arrays = {name: data[name] for name in data.files}
    np.savez(tmp_path / "b.npz", **{**arrays, "schema_version": np.int32(SCHEMA_VERSION + 1)})
    with pytest.raises(UserError, match="newer A2P"):
        MotionClip.load(tmp_path / "b.npz")


@pytest.mark.parametrize("field", ["face_weights", "joint_quats", "root_positions"])
def test_nonsense_is_not_saved(clip: MotionClip, tmp_path: Path, field: str):
    getattr(clip, field)[3] = np.nan
    with pytest.raises(UserError, match=field):
        clip.save(tmp_path / "a.npz")
    setattr(clip, field, getattr(clip, field)[:, :2])
    with pytest.raises(UserError, match="shape"):
        clip.save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_resampling_keeps_time_and_rotations():
    """A steady turn of 90 degrees a second stays one at any rate."""
    times = np.arange(61) / 30
    quats = np.tile(rotations.IDENTITY, (61, 52, 1))
    quats[:, 5] = rotations.from_rotvec(times[:, None] * np.array([[0, 0, np.pi / 2]]))
    weights = np.tile(times[:, None] / 4, (1, 52)).astype(np.float32)
    clip = MotionClip(weights, quats.astype(np.float32), np.tile(times[:, None], (1, 3)).astype(np.float32))
    for fps in (24.0, 29.97, 60.0, 120.0):
        other = clip.resampled(fps)
        now = np.minimum(np.arange(other.frames) / fps, times[-1])
        assert abs(other.seconds - clip.seconds) <= 0.5 / fps + 1e-9
        assert np.allclose(other.root_positions[:, 0], now, atol=1e-6)
        assert np.allclose(other.face_weights[:, 9], now / 4, atol=1e-6)
        turn = rotations.to_rotvec(other.joint_quats[:, 5].astype(np.float64))
        assert np.allclose(turn[:, 2], now * np.pi / 2, atol=1e-5)
        other.check()


def test_a_failed_write_leaves_the_old_file(clip: MotionClip, tmp_path: Path):
    path = clip.save(tmp_path / "a.npz")
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    with pytest.raises(UserError, match="No space"), atomic_path(path):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_files_get_ordinary_permissions(clip: MotionClip, tmp_path: Path):
    umask = os.umask(0)
    os.umask(umask)
    path = clip.save(tmp_path / "a.npz")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_a_folder_in_the_way(clip: MotionClip, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        clip.save(tmp_path / "file" / "a.npz")
