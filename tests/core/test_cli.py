"""The command line as a user meets it: in a process of its own, judged by files, exit code and stderr."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import ASSETS, a2p, command, environment, write_sound

from a2p_core import cli
from a2p_core.clip import MotionClip
from a2p_core.export import livelinkface
from a2p_core.skeleton import rotations
from a2p_core.skeleton.humanoid import HUMANOID


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def assert_told_in_one_sentence(done: subprocess.CompletedProcess[str], part: str):
    assert done.returncode == 2, done.stderr
    assert part in done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith(("loading", "listening"))]
    assert len(said) == 1, done.stderr


def here(*arguments: object) -> int:
    """The command line in this process, where torch is loaded already; the exit code."""
    return cli.main([str(argument) for argument in arguments])


# --- generate --------------------------------------------------------------------------------------------------------


def test_generate_writes_the_clip_it_names(sound: Path, untrained: Path, tmp_path: Path):
    out = tmp_path / "клип один.npz"
    done = a2p("generate", sound, "--model", untrained, "--steps", 2, "--seed", 5, "-o", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == str(out)
    clip = MotionClip.load(out)
    assert clip.frames == 45 and clip.face_weights.shape == (45, 52) and clip.joint_quats.shape == (45, 52, 4)
    assert clip.meta["seed"] == 5 and clip.meta["audio"]["self"]["name"] == "line.wav"
    assert "loading the model" in done.stderr and "100%" in done.stderr
    again = tmp_path / "again.npz"
    assert a2p("generate", sound, "--model", untrained, "--steps", 2, "--seed", 5, "-o", again).returncode == 0
    assert np.array_equal(MotionClip.load(again).joint_quats, clip.joint_quats), "the same seed, the same clip"


def test_a_folder_of_voices_and_takes(untrained: Path, tmp_path: Path):
    voices = tmp_path / "voices"
    voices.mkdir()
    write_sound(voices / "one.wav", 0.5)
    write_sound(voices / "one.flac", 0.5)
    (voices / "notes.txt").write_text("not a sound")
    out = tmp_path / "clips"
    code = here(
        "generate", voices, "--model", untrained, "--steps", 1, "--takes", 2, "--no-body", "-o", out, "--device", "cpu"
    )
    assert code == 0
    names = ["one-2_take1.npz", "one-2_take2.npz", "one_take1.npz", "one_take2.npz"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert not MotionClip.load(out / names[0]).has_body


def test_partner_and_stereo_hear_the_same(untrained: Path, tmp_path: Path):
    dialogue = ASSETS / "dialogue.flac"
    code = here("generate", dialogue, "--stereo", "--duration", 2, "--model", untrained, "--steps", 1, "-o", tmp_path)
    assert code == 0
    clip = MotionClip.load(tmp_path / "dialogue.npz")
    assert set(clip.meta["audio"]) == {"self", "partner"}
    out = tmp_path / "swapped.npz"
    code = here(
        "generate", dialogue, "--stereo", "--swap", "--duration", 2, "--model", untrained, "--steps", 1, "-o", out
    )
    assert code == 0
    assert not np.array_equal(MotionClip.load(out).face_weights, clip.face_weights)


def test_ninety_six_kilohertz_eight_channels(untrained: Path, tmp_path: Path):
    voice = write_sound(tmp_path / "wide.wav", 1.0, 96_000, 8, "PCM_24")
    code = here("generate", voice, "--channel", 7, "--model", untrained, "--steps", 1, "-o", tmp_path / "wide.npz")
    assert code == 0
    assert MotionClip.load(tmp_path / "wide.npz").frames == 30


def test_mistakes_are_told_in_one_sentence_and_leave_nothing(
    sound: Path, untrained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    model = ("--model", untrained, "--steps", 1, "-o", out)
    text = tmp_path / "letter.wav"
    text.write_text("a letter " * 50)
    nan = tmp_path / "nan.wav"
    soundfile.write(nan, np.full(8000, np.nan, np.float32), 16_000, subtype="FLOAT")
    mp3 = tmp_path / "letter.mp3"
    mp3.write_text("a letter " * 9000)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "silent folder").mkdir()
    cases = {
        "There is no file": (tmp_path / "missing.wav", *model),
        "is empty": (tmp_path / "empty.wav", *model),
        "not a sound file": (text, *model),
        "no mp3 in it": (mp3, *model),
        "too short": (write_sound(tmp_path / "short.wav", 0.05), *model),
        "not numbers": (nan, *model),
        "holds no sound files": (tmp_path / "silent folder", *model),
        "There is no model": (sound, "--model", "nonesuch", "-o", out),
        "one channel": (sound, "--stereo", *model),
        "channel 3 does not exist": (sound, "--channel", 3, *model),
        "Neither face nor body": (sound, "--no-face", "--no-body", *model),
        "takes": (sound, "--takes", 0, *model),
        "Several clips": (sound, "--takes", 2, "--model", untrained, "-o", tmp_path / "one.npz"),
        "--swap": (sound, "--swap", *model),
        "One partner": (sound, sound, "--partner", sound, *model),
    }
    for part, arguments in cases.items():
        code = here("generate", *arguments)
        assert_told_in_one_sentence(subprocess.CompletedProcess(part, code, *capfd.readouterr()), part)
        assert not out.exists() or not left_behind(out)
    assert_told_in_one_sentence(a2p("generate", nan, *model), "not numbers")


@pytest.mark.skipif(sys.platform == "win32", reason="folder permissions work otherwise there")
def test_a_folder_that_cannot_be_written(sound: Path, untrained: Path, tmp_path: Path):
    """A file in the way stops even root, who ignores permissions."""
    (tmp_path / "blocked").write_text("a file, not a folder")
    done = a2p("generate", sound, "--model", untrained, "-o", tmp_path / "blocked" / "clip.npz")
    assert_told_in_one_sentence(done, "Cannot write")
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o555)
        done = a2p("generate", sound, "--model", untrained, "-o", tmp_path / "closed")
        assert_told_in_one_sentence(done, "Cannot write")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to one process there")
@pytest.mark.parametrize("moment", ["loading", "face", "body"])
def test_ctrl_c_stops_at_once(untrained: Path, tmp_path: Path, moment: str):
    voice = write_sound(tmp_path / "long.wav", 60.0)
    out = tmp_path / "out"
    out.mkdir()
    running = subprocess.Popen(
        command("generate", voice, "--model", untrained, "--steps", 900, "-o", out / "clip.npz")
        + (["--no-face"] if moment == "body" else []),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        # a suite that runs in the background hands down an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith(moment):
            break
    time.sleep(0.3)
    sent = time.monotonic()
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    code = running.wait(timeout=20)
    took = time.monotonic() - sent
    assert code == 130
    assert "Cancelled; nothing was written." in rest and "Traceback" not in rest
    assert not left_behind(out)
    assert took < 5, f"{took:.2f} s, where the whole job takes minutes"


def test_help_comes_at_once():
    code = (
        "import sys; from a2p_core.cli import _parser; _parser()\n"
        "print([name for name in ('numpy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
    assert "generate" in a2p("--help").stdout


def test_probe_and_models():
    found = json.loads(a2p("probe", "--json").stdout)
    assert found["device"] in found["devices"] and found["executable"] == sys.executable
    done = a2p("models", "--json")
    assert [entry["name"] for entry in json.loads(done.stdout)] == found["models"]


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clip(tmp_path: Path) -> tuple[MotionClip, Path]:
    draw = np.random.default_rng(2)
    frames = 31
    quats = np.tile(rotations.IDENTITY, (frames, 52, 1)).astype(np.float32)
    quats[:, HUMANOID.index("head")] = rotations.from_rotvec(np.array([0.2, 0.1, -0.3]))
    made = MotionClip(
        face_weights=draw.random((frames, 52), np.float32),
        joint_quats=quats,
        root_positions=np.tile(HUMANOID.offsets[0], (frames, 1)),
        meta={"seed": 1, "name": "проба"},
    )
    return made, made.save(tmp_path / "проба one.npz")


def test_export_csv_is_live_link_faces_layout(clip: tuple[MotionClip, Path], tmp_path: Path):
    made, path = clip
    done = a2p("export", path, "--to", "csv", "-o", tmp_path / "csv")
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "csv" / "проба one.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert rows[0][16:20] == ["JawForward", "JawRight", "JawLeft", "JawOpen"] and len(rows[0]) == 63
    assert len(rows) == 32 and rows[1][:2] == ["00:00:00:00.000", "61"] and rows[2][0] == "00:00:00:02.000"
    assert rows[31][0] == "00:00:01:00.000"
    for name in ("jawLeft", "jawRight", "mouthClose", "tongueOut"):
        written = float(rows[5][rows[0].index(name[0].upper() + name[1:])])
        assert abs(written - made.face_weights[4, made.face_names.index(name)]) < 1e-7


def test_export_csv_angles_follow_the_app():
    """Eye rows of real captures: the written roll follows from yaw and pitch; the head turns the way it should."""
    real = np.array([[-0.0312639736, 0.1712819338, -0.0054070088], [-0.1598576307, -0.1396660805, 0.0223736763]])
    assert np.abs(livelinkface.look_roll(real[:, 0], real[:, 1]) - real[:, 2]).max() < 1e-7
    axes = {"yaw": (0, 0, -1), "pitch": (1, 0, 0), "roll": (0, -1, 0)}  # to the right, down, to the right shoulder
    for column, axis in enumerate(axes.values()):
        quats = np.tile(rotations.IDENTITY, (1, 52, 1)).astype(np.float32)
        for name in ("neck", "head"):
            quats[0, HUMANOID.index(name)] = rotations.from_rotvec(0.2 * np.array(axis, float))
        angles = livelinkface.head_angles(MotionClip(np.zeros((1, 52), np.float32), quats, np.zeros((1, 3))))
        assert np.allclose(angles[0], 0.4 * np.eye(3)[column], atol=1e-6)


def test_export_json_holds_everything(clip: tuple[MotionClip, Path], tmp_path: Path):
    made, path = clip
    out = tmp_path / "dump.json"
    assert a2p("export", path, "--to", "json", "-o", out).returncode == 0
    read = json.loads(out.read_text(encoding="utf-8"))
    assert read["meta"] == made.meta and read["face_names"] == list(made.face_names) and read["frames"] == 31
    assert np.allclose(read["joint_quats"], made.joint_quats, atol=1e-6)
    assert np.allclose(read["face_weights"], made.face_weights, atol=1e-6)


def test_export_bvh_at_another_rate(clip: tuple[MotionClip, Path], tmp_path: Path):
    _, path = clip
    done = a2p("export", path, "--to", "bvh", "--fps", 60, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "проба one.bvh").read_text()
    assert "Frames: 62" in text and "Frame Time: 0.0166" in text


def test_export_mistakes(clip: tuple[MotionClip, Path], tmp_path: Path):
    made, path = clip
    bare = tmp_path / "bare.npz"
    MotionClip(np.zeros((31, 0), np.float32), made.joint_quats, made.root_positions, face_names=()).save(bare)
    wrong = tmp_path / "wrong.npz"
    wrong.write_bytes(b"PK nothing")
    out = tmp_path / "out"
    assert_told_in_one_sentence(a2p("export", bare, "--to", "csv", "-o", out), "has no face")
    assert_told_in_one_sentence(a2p("export", wrong, "--to", "csv", "-o", out), "no A2P motion clip")
    assert_told_in_one_sentence(a2p("export", tmp_path / "none.npz", "--to", "json", "-o", out), "There is no clip")
    assert_told_in_one_sentence(a2p("export", path, "--to", "bvh", "--fps", 0, "-o", out), "no frame rate")
    assert_told_in_one_sentence(a2p("export", path, bare, "--to", "bvh", "-o", tmp_path / "x.bvh"), "Several clips")
    assert not out.exists() or not left_behind(out)
