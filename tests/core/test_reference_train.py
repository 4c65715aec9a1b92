"""The data set's layout, and training on it: every network lowers every loss of its own, resumes, and runs on many."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_support import PERSON, SMALL, networks, statistics
from support import ROOT

from a2p_core.data.reference.convert import from_clips, to_clips
from a2p_core.data.reference.scenes import Dataset
from a2p_core.data.reference.synthetic import rig, write
from a2p_core.errors import UserError
from a2p_core.face.spaces import ARKIT
from a2p_core.reference import model
from a2p_core.reference.expressions import fit
from a2p_core.reference.statistics import Statistics
from a2p_core.train import reference as training
from a2p_core.train.__main__ import main as command_line
from a2p_core.train.shared_steps import Recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("dataset") / PERSON, scenes=8, frames=700)


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return Dataset(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> model.ReferenceModel:
    draw = np.random.default_rng(2)
    codes = draw.normal(size=(400, 256))
    expressions = fit(codes, np.clip(0.5 + codes[:, :52] * 0.1, 0, 1))
    where = tmp_path_factory.mktemp("model")
    return model.load(model.save(where, PERSON, SMALL, networks(), statistics(), rig=rig(), expressions=expressions))


def test_the_data_set_is_read_split_and_measured(data: Dataset):
    assert [len(data.split(name)) for name in ("train", "valid", "test")] == [2, 2, 4]
    assert "8 scenes (2 train, 2 valid, 4 test)" in data.check()
    raw = [scene.crop() for scene in data.split("train")]
    found = data.measured()
    pose = np.concatenate([c.pose for c in raw])
    codes = np.concatenate([c.codes[c.known] for c in raw])
    assert np.allclose(found.pose_mean, pose.mean(0)) and np.allclose(found.pose_std, pose.std(0))
    assert np.allclose(found.code_mean, codes.mean(0)) and np.allclose(found.code_std, codes.std(0))
    sound = np.concatenate([c.audio for c in raw]).astype(float)
    assert np.isclose(found.audio_std, sound.std(), rtol=1e-6) and np.allclose(found.audio_mean, sound.mean(0))
    assert (pose[:, 3] >= 0).all() and (pose[:, 3] < 2 * np.pi).all()
    assert not raw[0].known[21:31].any() and raw[0].known[31:].all()
    assert len(data.chunks()) == 4


def test_crops_are_those_of_the_paper(data: Dataset):
    for seed in range(8):
        crop = data.draw(np.random.default_rng(seed), "train", exact=False)
        count = int(crop.valid.sum())
        assert 400 <= count < 600 and crop.valid[:count].all()
        assert not crop.pose[count:].any() and not crop.audio[count * 1600 :].any() and not crop.known[count:].any()
        assert data.draw(np.random.default_rng(seed), "train", exact=True).valid.all()
    silent = data.draw(np.random.default_rng(7), "train", exact=False, sound=False)
    assert np.array_equal(silent.pose, crop.pose) and crop.audio.any() and not silent.audio.any()


def test_rates_are_those_of_the_paper_and_a_short_run_warms_up_sooner():
    guide = training.RECIPES["guide"]
    steps = (2499, 4999, 49_999, 50_000)
    assert np.allclose([guide.rate_at(step) for step in steps], [1e-4, 2e-4, 2e-4, 2e-5])
    short = replace(guide, steps=300)
    assert np.allclose([short.rate_at(step) for step in (14, 29, 299)], [1e-4, 2e-4, 2e-4])


class Trap:
    """Ends the tests where it is unpickled."""

    def __reduce__(self):
        return os._exit, (99,)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "scene03_body_pose.npy").unlink(), r"scene03_body_pose\.npy is missing"),
        (lambda f: [p.unlink() for p in f.glob("scene04_*")], r"scene04_audio\.wav is missing: the scenes have gaps"),
        (lambda f: np.save(f / "scene02_body_pose.npy", np.zeros((699, 104))),
         r"scene02_audio\.wav has 1120000 samples where the 699 poses need 1118400"),
        (lambda f: np.save(f / "scene02_face_expression.npy", np.zeros((650, 256))),
         r"scene02_face_expression\.npy has 650 frames and scene02_body_pose\.npy 700"),
        (lambda f: np.save(f / "scene02_face_expression.npy", np.zeros((700, 52))), r"\(frames, 256\)"),
        (lambda f: np.save(f / "scene02_missing_face_frames.npy", np.array([700])), r"names frames that the scene"),
        (lambda f: (f / "scene05_audio.wav").write_bytes(b"RIFF"), r"scene05_audio\.wav is damaged or not fully"),
        (lambda f: (f / "scene05_body_pose.npy").write_bytes(b"\x93NUMPY"), r"scene05_body_pose\.npy is damaged"),
        (lambda f: (f / "scene05_body_pose.npy").write_text("<html>404</html>"), r"scene05_body_pose\.npy is damaged"),
        (lambda f: np.save(f / "scene05_body_pose.npy", np.array([Trap()], object), allow_pickle=True),
         r"scene05_body_pose\.npy holds code where only numbers belong; nothing of it was run"),
        (lambda f: (f / "scene05_body_pose.npy").write_bytes(pickle.dumps(Trap())), r"body_pose\.npy holds code"),
        (lambda f: torch.save({"pose_mean": Trap()}, f / "data_stats.pth"), r"data_stats\.pth holds code"),
        (lambda f: (statistics().save(f / "data_stats.pth"), cut(f / "data_stats.pth")), r"data_stats\.pth is damaged"),
        (lambda f: replace(statistics(), pose_std=np.full(104, np.nan)).save(f / "data_stats.pth"),
         r"data_stats\.pth holds values that are not numbers"),
        (lambda f: replace(statistics(), code_mean=np.zeros(52)).save(f / "data_stats.pth"),
         r"data_stats\.pth has other sizes than this configuration: code_mean \(52, not 256\)"),
        (lambda f: statistics(0.01365).save(f / "data_stats.pth"), r"holds the statistics of RLW104, not of PXB184"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_data_set_is_named(folder: Path, tmp_path: Path, harm, said: str):
    copy = tmp_path / PERSON
    copy.mkdir()
    for path in folder.iterdir():
        os.link(path, copy / path.name)
    for path in [*copy.glob("scene02_*.npy"), *copy.glob("scene05_*")]:  # those that are written to are no links
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    harm(copy)
    with pytest.raises(UserError, match=said) as found:
        _ = Dataset(copy).statistics
    assert "\n" not in str(found.value)


#: network → steps, rate, rows: some hundred where a step is cheap
QUICK = {"face": (24, 3e-3, 2), "tokenizer": (300, 2e-3, 8), "guide": (40, 5e-3, 2), "body": (24, 3e-3, 2)}


SHORT = 120  #: motion frames of a crop: the audio networks are most of a step
CROPS = 6  #: heard once for the whole training


@pytest.mark.parametrize("name", training.NAMES)
def test_every_network_lowers_every_loss(data: Dataset, base, tmp_path: Path, name: str):
    torch.manual_seed(0)
    steps, rate, rows = QUICK[name]
    recipe = Recipe(steps=steps, rate=rate, batch=rows, log_every=steps // 4)
    held = training.Draw(data, data.statistics, name, 6, SHORT)(np.random.default_rng(99), "train")
    networks = base.networks
    if name != "tokenizer":
        held["heard"] = training.objective(name, getattr(networks, name), networks).heard(held)

    def losses(network) -> dict[str, float]:
        torch.manual_seed(1)
        with torch.no_grad():
            terms = training.objective(name, network.eval(), networks)(held)
        # How far codes are from vectors starts at nothing: the codebooks begin as the first vectors themselves.
        return {key: float(value) for key, value in terms.items() if key not in ("codes", "right", "commitment")}

    untrained = losses(getattr(training.Networks.of(SMALL), name))
    if name == "guide":
        with_tokenizer(tmp_path)
    crops = 0 if name == "tokenizer" else CROPS
    trained = losses(training.train(name, data, base, tmp_path, recipe, window=SHORT, crops=crops))
    for key, value in trained.items():
        assert value < untrained[key], (key, untrained[key], value)


def test_kept_crops_are_heard_once_and_give_the_same_losses(data: Dataset, base, tmp_path: Path, monkeypatch):
    draw = training.Draw(data, data.statistics, "face", 2, SHORT)
    goal = training.objective("face", training.Networks.of(SMALL).face, base.networks)
    kept = training.Kept(draw, goal, 2, tmp_path, seed=5)
    first, again = (kept(np.random.default_rng(3), "train") for _ in range(2))
    numbers = np.random.default_rng(3).integers(2, size=2)
    crops = [data.draw(np.random.default_rng([5, int(n)]), "train", False, True, SHORT) for n in numbers]
    fresh = draw.of(crops)
    assert torch.equal(first["x0"], fresh["x0"]) and "audio" not in first
    assert torch.allclose(first["heard"], goal.heard(fresh), atol=1e-5)
    torch.manual_seed(0)
    wanted = goal(fresh)["total"]
    monkeypatch.setattr(base.networks.audio, "both", lambda _sound: pytest.fail("heard again"))
    torch.manual_seed(0)
    assert torch.allclose(goal(first)["total"], wanted, rtol=1e-4)
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize("window", [30, 100, 630])
def test_windows_that_no_network_takes_are_refused(data: Dataset, base, tmp_path: Path, window: int):
    with pytest.raises(UserError, match=f"60 to 600 frames in steps of 30, not {window}"):
        training.train("body", data, base, tmp_path, Recipe(steps=1, rate=1e-3), window=window)


def with_tokenizer(place: Path) -> None:
    """A training folder in which a tokenizer was trained: the base's."""
    (place / "tokenizer").mkdir()
    state = {"network": networks().tokenizer.state_dict(), "step": 1}
    torch.save(state, place / "tokenizer" / "checkpoint.pt")


def test_a_resumed_run_is_the_uninterrupted_one(data: Dataset, base, tmp_path: Path):
    recipe = Recipe(steps=6, rate=1e-3, batch=2, log_every=2)
    whole = training.train("tokenizer", data, base, tmp_path / "whole", recipe)
    training.train("tokenizer", data, base, tmp_path / "parts", replace(recipe, steps=3))
    parts = training.train("tokenizer", data, base, tmp_path / "parts", recipe)
    for mine, theirs in zip(whole.state_dict().values(), parts.state_dict().values()):
        assert torch.equal(mine, theirs)
    logged = [
        [json.loads(line)["total"] for line in (tmp_path / run / "tokenizer/log.jsonl").read_text().splitlines()]
        for run in ("whole", "parts")
    ]
    assert len(logged[1]) == 3 and logged[0][::2] == logged[1][::2], "the second row is of the fourth step alone"
    assert 0.5 < logged[1][1] / logged[0][1] < 2


def test_a_damaged_checkpoint_is_named(data: Dataset, base, tmp_path: Path):
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"checkpoint\.pt does not fit"):
        training.train("tokenizer", data, base, tmp_path, Recipe(steps=1, rate=1e-3))


def test_two_processes_train_one_network(folder: Path, base, tmp_path: Path):
    """torchrun, the command line, bfloat16, and packing what came out."""
    where = model.save(tmp_path / "base", PERSON, SMALL, base.networks, base.statistics)
    common = ["--config", "audio2photoreal", "--data", str(folder), "--model", str(where), "--out", str(tmp_path / "t")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    launch += ["-m", "a2p_core.train", "tokenizer", *common, "--steps", "50", "--batch", "2", "--precision", "bf16"]
    done = subprocess.run([*launch, "--device", "cpu"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "t/tokenizer/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [50], "one process writes"
    command_line(["pack", *common, "--to", str(tmp_path / "new")])
    state = torch.load(tmp_path / "t/tokenizer/checkpoint.pt", weights_only=True)["network"]
    made = model.load(tmp_path / "new")
    assert made.non_commercial, "the frozen networks' licence stays"
    assert torch.equal(made.networks.tokenizer.encode_in.weight, state["encode_in.weight"])


def test_scenes_become_clips_and_scenes_again(data: Dataset, base, tmp_path: Path):
    few = Dataset(data.folder)
    few.scenes = few.scenes[:2]
    clips = to_clips(few, base, tmp_path / "clips")
    assert [clip.name for clip in clips] == ["scene01.npz", "scene02.npz"]
    pairs = [(path, path.with_suffix(".wav")) for path in clips]
    from_clips(pairs, base, tmp_path / PERSON)
    back = Dataset(tmp_path / PERSON)
    for mine, theirs in zip(back.scenes, few.scenes, strict=True):
        new, old = mine.crop(), theirs.crop()
        assert np.allclose(new.audio, old.audio, atol=1 / 32000)
        mine_quats, theirs_quats = (base.rig.humanoid_motion(crop.pose)[0] for crop in (new, old))
        assert (np.abs((mine_quats * theirs_quats).sum(-1)) > 1 - 1e-6).all(), "up to a quaternion's sign"
        weights = base.expressions(new.codes) - base.expressions(np.where(old.known[:, None], old.codes, new.codes))
        assert np.abs(weights).max() < 1e-4 and weights.shape[1] == len(ARKIT)


def test_measured_statistics_are_written_as_the_release_writes_them(data: Dataset, tmp_path: Path):
    found = data.measured()
    back = Statistics.load(found.save(tmp_path / "data_stats.pth"))
    assert np.array_equal(back.pose_mean, found.pose_mean) and np.isclose(back.audio_std, found.audio_std)
