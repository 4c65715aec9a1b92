"""A batch: its list, its plan, its results after stops and changes, and what it says of bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import environment, write_sound

from a2p_core.batch import forward, lines, quality
from a2p_core.batch.manifest import Lock, Manifest
from a2p_core.batch.pool import rest
from a2p_core.clip import MotionClip
from a2p_core.errors import UserError

HUMAN_LINE = Path(__file__).parents[2] / "a2p_core" / "assets" / "human_line.flac"
SAID = (
    "the earliest book printed with movable types, the Gutenberg, or forty-two line Bible of about fourteen fifty-five"
)


def listed(folder: Path, text: str, name: str = "lines.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def batch(path: Path, out: Path, model: Path, *more: str, jobs: int = 1) -> subprocess.Popen:
    command = [sys.executable, "-m", "a2p_core", "batch", path, "-o", out, "--model", model, "--jobs", jobs, "--json"]
    return subprocess.Popen(
        [str(part) for part in (*command, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def finish(process: subprocess.Popen) -> tuple[int, dict, str]:
    out, err = process.communicate(timeout=240)
    return process.returncode, json.loads(out) if out.strip() else {}, err


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    for number in range(12):
        write_sound(folder / f"{number:02d}.wav", 0.7 + 0.12 * (number % 5))
    return folder


def arrays(out: Path) -> dict[str, list[bytes]]:
    """What is in the clips; a writer that was killed on a cluster leaves its hidden file to the next local run."""
    clips = {path.name: MotionClip.load(path) for path in sorted(out.glob("[!.]*.npz"))}
    return {
        name: [c.face_weights.tobytes(), c.joint_quats.tobytes(), c.root_positions.tobytes()]
        for name, c in clips.items()
    }


# --- the list ---


def test_a_list_says_what_it_means(tmp_path: Path):
    path = listed(
        tmp_path, "id;voice;partner;seed;outputs;note\na/b;x.wav;right;7;npz csv;hello\nc;y.wav;;;act/c.bvh;\n"
    )
    first, second = lines.read(path)
    assert (first.id, first.voice, first.partner, first.seed) == ("a/b", tmp_path / "x.wav", "right", 7)
    assert first.outputs == ("a/b.npz", "a/b.csv") and second.outputs == ("act/c.bvh",)
    yaml = listed(tmp_path, "lines:\n- {id: a, voice: x.wav, outputs: [npz, json]}\n", "lines.yaml")
    assert lines.read(yaml)[0].outputs == ("a.npz", "a.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,voice\na,x.wav\nA,y.wav\n", "comes twice"),
        ("id,voice,outputs\na,x.wav,same.npz\nb,y.wav,Same.npz\n", "both write"),
        ("id,voice\n../a,x.wav\n", "out of the output folder"),
        ("id,voice\n/etc/a,x.wav\n", "out of the output folder"),
        ("id,voice\nC:\\a,x.wav\n", "out of the output folder"),
        ("id,voice,outputs\na,x.wav,../../b.npz\n", "out of the output folder"),
        ("id,voice,outputs\na,x.wav,.a2p-batch/manifest.json\n", "out of the output folder"),
        ("id,sound\na,x.wav\n", "no column 'voice'"),
        ("id,voice,seed\na,x.wav,often\n", "no whole number"),
        ("id,voice,emotion\na,x.wav,bored\n", "row 2: There is no emotion"),
        ("id,voice,outputs\na,x.wav,mp5\n", "no kind of output"),
        ("id,voice,outputs\na,x.wav,fbx\n", "needs a character"),
        ("id,voice\n", "holds no lines"),
        ('id,voice\n"a,x.wav\n', "no CSV"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(UserError, match=said):
        lines.read(listed(tmp_path, text))


def test_a_list_in_another_encoding_is_refused(tmp_path: Path):
    path = tmp_path / "lines.csv"
    path.write_bytes("id,voice\na,x.wav\nb,ä.wav\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"not UTF-8 \(row 3\)"):
        lines.read(path)


def test_a_refused_list_leaves_nothing(tmp_path: Path, untrained: Path):
    code, _, err = finish(batch(listed(tmp_path, "id,voice\na,x\na,y\n"), tmp_path / "out", untrained))
    assert code == 2 and "comes twice" in err and not (tmp_path / "out").exists()


# --- the plan ---


def test_lines_keep_their_group_and_slot(tmp_path: Path, voices: Path):
    settings = {"clip": ["weights"], "blender": None}
    given = [lines.Line(path.stem, path, outputs=(f"{path.stem}.npz",)) for path in sorted(voices.glob("*.wav"))]
    plan, again = Manifest.of(tmp_path), Manifest.of(tmp_path)
    plan.plan(given, settings)
    again.plan(given[::-1], settings)
    assert plan.groups == again.groups and sum(len(group.slots) for group in plan.groups) == len(given)
    before = {name: (entry.group, plan.groups[entry.group].slots.index(name)) for name, entry in plan.entries.items()}
    (tmp_path / ".a2p-batch").mkdir()
    plan.save()
    later = Manifest.of(tmp_path)
    changed = replace(given[3], seed=9)
    later.plan([*given[:3], changed, *given[5:]], settings)
    for name, (group, slot) in before.items():
        if name == "03":
            assert later.entries[name].group >= len(plan.groups)
        elif name == "04":
            assert name not in later.entries and later.groups[group].slots[slot] == ""
        else:
            assert later.entries[name].group == group and later.groups[group].slots[slot] == name


def test_the_rest_of_a_lost_task_keeps_its_slots():
    rows = [{"id": name, "key": "k", "files": []} for name in "abc"]
    task = {"kind": "perform", "frames": 30, "lines": rows}
    (once,) = rest(task, {"line:b"})
    assert [row and row["id"] for row in once["lines"]] == ["a", None, "c"]
    twice = rest(once, set())
    assert [[row and row["id"] for row in part["lines"]] for part in twice] == [["a", None, None], [None, None, "c"]]


def test_one_batch_at_a_time(tmp_path: Path):
    lock = Lock(tmp_path / ".a2p-batch")
    with pytest.raises(UserError, match="Another batch"):
        Lock(tmp_path / ".a2p-batch")
    lock.release()
    Lock(tmp_path / ".a2p-batch").release()


# --- the forward pass ---


@pytest.fixture
def one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_line_is_the_same_among_others_and_alone(untrained: Path, voices: Path, one_thread):
    from a2p_core.audio.dialogue import Voice, load_dialogue
    from a2p_core.checkpoints.registry import open_model
    from a2p_core.session import Session

    model = open_model(str(untrained))
    said = [
        forward.Asked(load_dialogue(Voice(path)), seed) for seed, path in enumerate(sorted(voices.glob("*.wav"))[:4])
    ]
    many = forward.perform(said, 45, model)
    alone = forward.perform([None, said[1], None, None], 45, model)
    assert alone[0] is None and alone[1].clip.joint_quats.tobytes() == many[1].clip.joint_quats.tobytes()
    assert alone[1].clip.face_weights.tobytes() == many[1].clip.face_weights.tobytes()
    for (dialogue, seed, _, _), one in zip(said, many, strict=True):
        reference = Session(forward.followed_by_silence(dialogue, 45), model).sample(seed)
        count = forward.frame_count(dialogue)
        assert one.clip.frames == count
        for name in ("face_weights", "joint_quats", "root_positions"):
            assert np.abs(getattr(reference, name)[:count] - getattr(one.clip, name)).max() < 1e-4


def test_a_line_is_told_its_words_and_how_to_feel(untrained: Path, tmp_path: Path):
    """Columns of the list reach the clip; a transcript that does not fit costs a flag and not the line."""
    pytest.importorskip("pocketsphinx")
    shutil.copy(HUMAN_LINE, tmp_path / "said.flac")
    (tmp_path / "said.txt").write_text(SAID, encoding="utf-8")
    told = listed(
        tmp_path,
        "id,voice,transcript,emotion\nplain,said.flac,,\nwords,said.flac,said.txt,\n"
        "others,said.flac,The quick brown fox jumps over seven lazy dogs and runs away,\nglad,said.flac,,happy:1\n",
    )
    code, summary, err = finish(batch(told, tmp_path / "out", untrained, "--no-body"))
    assert (code, summary["made"], summary["failed"]) == (0, 4, {}), err
    clips = {name: MotionClip.load(tmp_path / "out" / f"{name}.npz") for name in ("plain", "words", "others", "glad")}
    assert clips["words"].meta["transcript"]["words"] > 5 and "transcript" not in clips["others"].meta
    assert "transcript" in summary["flagged"]["others"] and "transcript" not in summary["flagged"].get("words", [])
    smile = list(clips["glad"].face_names).index("mouthSmileLeft")
    assert clips["glad"].face_weights[:, smile].mean() > clips["plain"].face_weights[:, smile].mean() + 0.04


def test_long_windows_are_denoised_together_as_one_by_one(untrained: Path, one_thread):
    import torch

    from a2p_core.body.diffusion import PLAN
    from a2p_core.checkpoints.registry import open_model
    from a2p_core.diffusion.sampling import sample

    network = open_model(str(untrained)).body.denoiser
    heard = torch.randn(3, 400, network.config.condition)
    guides = torch.randn(3, 15, network.config.guide)
    noise = [torch.Generator().manual_seed(seed) for seed in range(3)]
    many = forward.sample_together(network, heard, noise, PLAN, guides)
    for row in range(3):
        one = sample(network, heard[row], torch.Generator().manual_seed(row), PLAN, guides[row])
        assert (one - many[row]).abs().max() < 1e-4


# --- whole batches ---


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, voices: Path, untrained: Path) -> tuple[Path, Path]:
    """(the list, its results without any interruption), with a broken sound and a missing one among the lines."""
    folder = tmp_path_factory.mktemp("whole")
    (voices / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing")
    rows = [f"l{path.stem},{path},{i}" for i, path in enumerate(sorted(voices.glob("[0-9]*.wav")))]
    rows += [f"broken,{voices / 'broken.wav'},0", f"gone,{voices / 'gone.wav'},0"]
    path = listed(folder, "id,voice,seed\n" + "\n".join(rows) + "\n")
    code, summary, err = finish(batch(path, folder / "out", untrained, jobs=2))
    assert code == 3, err
    assert summary["made"] == 12 and set(summary["failed"]) == {"broken", "gone"}
    assert "gone.wav" in summary["failed"]["gone"] and "broken.wav" in err
    report = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert report.count("<svg") == 12 and report.index("broken") < report.index("l00")
    return path, folder / "out"


def test_finished_lines_are_skipped_and_changed_ones_made_anew(whole, tmp_path: Path, untrained: Path, voices: Path):
    path, out = whole
    stamps = {file: file.stat().st_mtime_ns for file in out.glob("*.npz")}
    code, summary, _ = finish(batch(path, out, untrained))
    assert (code, summary["made"], summary["kept"]) == (3, 0, 12)
    assert stamps == {file: file.stat().st_mtime_ns for file in out.glob("*.npz")}
    write_sound(voices / "gone.wav", 0.9)
    (out / "l05.npz").unlink()
    try:
        code, summary, _ = finish(batch(path, out, untrained))
    finally:
        (voices / "gone.wav").unlink()
    assert summary["made"] == 2 and set(summary["failed"]) == {"broken"}
    assert sum(file.stat().st_mtime_ns != stamps.get(file) for file in out.glob("*.npz")) == 2


def test_killed_again_and_again_it_ends_with_the_same_arrays(whole, tmp_path: Path, untrained: Path):
    path, out = whole
    rng = np.random.default_rng(1)
    for _ in range(3):
        process = batch(path, tmp_path / "out", untrained)
        time.sleep(rng.uniform(1.5, 4.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for file in (tmp_path / "out").glob("*.npz"):
            if not file.name.startswith(".a2p-"):
                MotionClip.load(file)  # whole, or not there
    code, _, err = finish(batch(path, tmp_path / "out", untrained, jobs=2))
    assert code == 3, err
    expected = {name: own for name, own in arrays(out).items() if name != "gone.npz"}
    assert arrays(tmp_path / "out") == expected
    assert not list((tmp_path / "out").glob(".a2p-*.npz"))


def test_a_lost_worker_is_replaced(whole, tmp_path: Path, untrained: Path):
    path, out = whole
    process = batch(path, tmp_path / "out", untrained)
    deadline = time.monotonic() + 60
    killed = False
    while not killed and time.monotonic() < deadline:
        hands = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(process.pid)], capture_output=True, text=True)
        for hand in (line.split() for line in hands.stdout.splitlines()):
            if "a2p_core.batch.hand" in hand[1:]:
                os.kill(int(hand[0]), signal.SIGKILL)
                killed = True
        time.sleep(0.05)
    assert killed
    code, summary, err = finish(process)
    assert code == 3 and summary["made"] == 12, err
    assert arrays(tmp_path / "out") == {name: own for name, own in arrays(out).items() if name != "gone.npz"}


def test_more_outputs_are_written_from_the_clips_that_are_there(whole, untrained: Path, tmp_path: Path):
    path, _ = whole
    one = listed(tmp_path, path.read_text(encoding="utf-8").splitlines()[0] + "\n" + path.read_text().splitlines()[1])
    assert finish(batch(one, tmp_path / "out", untrained))[0] == 0
    stamp = (tmp_path / "out" / "l00.npz").stat().st_mtime_ns
    code, _, err = finish(batch(one, tmp_path / "out", untrained, "--outputs", "npz bvh csv json"))
    assert code == 0, err
    assert (tmp_path / "out" / "l00.npz").stat().st_mtime_ns == stamp
    assert {p.suffix for p in (tmp_path / "out").glob("l00.*")} == {".npz", ".bvh", ".csv", ".json"}


FULL_AND_THEN_NOT = """
out=$1 kept=$2; shift 2
mkdir "$out" && mount -t tmpfs -o size=300k none "$out" || exit 77
"$@" > "$kept/full.json" 2> "$kept/full.err"; echo $? > "$kept/full.code"
ls -a "$out" > "$kept/full.files"
mount -o remount,size=50m "$out"
"$@" > "$kept/more.json"; echo $? > "$kept/more.code"
cp "$out"/*.npz "$kept"
"""  #: the disk is the script's own, and goes with it


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs Linux and util-linux")
def test_a_full_disk_fails_lines_and_they_are_made_when_there_is_room(whole, untrained: Path, tmp_path: Path):
    path, out = whole
    rows = path.read_text(encoding="utf-8").splitlines()
    path = listed(tmp_path, "\n".join(row for row in rows if "broken" not in row and "gone" not in row))
    command = [sys.executable, "-m", "a2p_core", "batch", path, "-o", tmp_path / "out", "--model", untrained, "--json"]
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", FULL_AND_THEN_NOT, "sh", tmp_path / "out", tmp_path]
    done = subprocess.run([str(part) for part in (*alone, *command, "--jobs", 1)], env=environment(), timeout=240)
    if done.returncode in (1, 77) and not (tmp_path / "full.code").exists():
        pytest.skip("this user may not mount a disk")
    code, summary = ((tmp_path / f"full.{kind}").read_text() for kind in ("code", "json"))
    summary = json.loads(summary)
    assert int(code) == 3 and 0 < summary["made"] < 12 and len(summary["failed"]) == 12 - summary["made"]
    assert all("No space left" in why for why in summary["failed"].values()), summary["failed"]
    assert "No space left" in (tmp_path / "full.err").read_text()
    files = (tmp_path / "full.files").read_text().split()
    assert sorted(name for name in files if name.endswith(".npz")) == sorted(
        f"{name}.npz" for name in (f"l{i:02d}" for i in range(12)) if name not in summary["failed"]
    )  # nothing half-written
    assert int((tmp_path / "more.code").read_text()) == 0  # without --retry
    assert arrays(tmp_path) == {name: own for name, own in arrays(out).items() if name != "gone.npz"}


def test_what_blender_says_of_a_full_disk_is_tried_again():
    from a2p_core.batch.work import failed

    said = UserError("Blender could not write the FBX file (OSError: [Errno 28] No space left on device).")
    assert failed("file:a.fbx", "k", said)["again"] and not failed("line:a", "k", UserError("broken"))["again"]


# --- flags ---


def test_flags(tmp_path: Path):
    t = np.arange(16_000) / 16_000
    loud = np.clip(1.6 * np.sin(2 * np.pi * 200 * t), -0.9, 0.9)
    fine = 0.5 * np.sin(2 * np.pi * 200 * t)
    for name, sound in (("silent", 1e-5 * np.ones(16_000)), ("loud", loud), ("fine", fine)):
        soundfile.write(tmp_path / f"{name}.wav", sound, 16_000)
    assert quality.flags_of(tmp_path / "silent.wav", np.full(16_000, 1e-5, np.float32), 0.9) == ["silent"]
    assert quality.flags_of(tmp_path / "loud.wav", loud, 0.9) == ["clipped"]
    assert quality.flags_of(tmp_path / "fine.wav", fine, 0.9) == []
    assert quality.flags_of(tmp_path / "fine.wav", fine, 0.1) == ["lips"]
    assert quality.flags_of(tmp_path / "fine.wav", fine, None) == ["silent"]
