"""Reference networks at work: parity at full size, exact shortcuts, any length, clips, and the published figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from reference_support import PERSON, SMALL, networks, statistics
from support import ROOT

from a2p_core import cli
from a2p_core.audio.dialogue import Voice
from a2p_core.clip import MotionClip
from a2p_core.data.reference.synthetic import rig
from a2p_core.errors import Cancelled, UserError
from a2p_core.evaluate import reference as evaluation
from a2p_core.face.spaces import ARKIT
from a2p_core.jobs import GenerateRequest, VoiceSpec, generate
from a2p_core.reference import expressions, model, momentum, parity, sampling
from a2p_core.reference.config import SAMPLES
from a2p_core.reference.rig import CHANNELS, from_euler, to_euler
from a2p_core.reference.session import ReferenceSession

PARITY = ROOT.parent / "shared" / "parity"


@pytest.mark.skipif(not PARITY.is_dir(), reason="the stored outputs are not at ../shared/parity")
def test_full_size_networks_give_what_is_stored():
    """The short clip of every part (`a2p check-parity` compares all); weights are made anew from their rule."""
    results = list(parity.check(PARITY, ("audio", "lip", "rvq", "guide", "face", "body"), ("T120",)))
    assert len(results) >= 40
    off = [f"{r.file} {r.item} {r.error:.1e}" for r in results if not r.good]
    assert not off, off


@pytest.mark.skipif(not PARITY.is_dir(), reason="the stored outputs are not at ../shared/parity")
def test_parity_tells_what_is_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "keys.json").write_text((PARITY / "keys.json").read_text())
    stored = dict(np.load(PARITY / "seed1_rvq.npz"))
    stored["decoded"] = stored["decoded"] * 1.001
    np.savez(tmp_path / "seed1_rvq.npz", **stored)
    assert cli.main(["check-parity", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "OFF  seed1_rvq.npz decoded:" in said and "worst: seed1_rvq.npz decoded" in said
    assert cli.main(["check-parity", str(tmp_path / "nowhere")]) == 2


@pytest.fixture(scope="module")
def built() -> model.ReferenceModel:
    draw = np.random.default_rng(2)
    shapes = expressions.ExpressionMap(draw.normal(size=(256, 52)) * 0.02, np.full(52, 0.3), 0.0)
    return model.ReferenceModel(
        "audio2photoreal test", PERSON, "CC-BY-NC-4.0", True, "0" * 16, torch.device("cpu"), SMALL, networks(),
        statistics(), rig(), shapes,
    )  # fmt: skip


def sound(frames: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((frames * SAMPLES, 2)) * 0.02).astype(np.float32)


def test_steps_are_spread_as_published():
    assert sampling.ddim_steps(100) == list(range(990, -1, -10))
    assert sampling.ddim_steps(500)[:2] == [998, 996]
    with pytest.raises(UserError, match="600 steps cannot be spread evenly"):
        sampling.ddim_steps(600)


def test_shortcuts_change_nothing(built):
    """Constant memories, both branches in one batch and kept keys, against everything anew each time."""
    nets = built.networks
    audio = torch.from_numpy(built.statistics.heard(sound(90)))[None]
    heard = nets.audio.both(audio)
    x = torch.randn(1, 90, 104, generator=torch.Generator().manual_seed(0))
    poses = torch.randn(1, 3, 104, generator=torch.Generator().manual_seed(1))
    fast = sampling.guided(nets.body, nets.body.encode(heard, poses), 2.0)(x, 500)
    branches = []
    for keep in (torch.tensor([True]), torch.tensor([False])):
        encoded = nets.body.encode(nets.audio.both(audio), poses, None, keep, keep)
        branches.append(nets.body(x, torch.tensor([500]), encoded))
    assert torch.allclose(fast, branches[1] + 2 * (branches[0] - branches[1]), atol=1e-5)
    tokens = nets.guide.sample(heard[0], 3, lambda logits: int(logits.argmax())).flatten().tolist()
    written = [nets.guide.start]
    for token in tokens:
        logits = nets.guide.write(torch.tensor([written]), nets.guide.listen(heard))
        assert int(logits[0, -1].argmax()) == token
        written.append(token)


def test_any_length(built, monkeypatch: pytest.MonkeyPatch):
    """Windows cover a long clip, start on whole seconds, and join without a jump."""
    for frames in (30, 600, 601, 1500, 5000):
        spans = sampling.windows(frames)
        assert spans[0].start == 0 and spans[-1].stop == frames
        assert all(s.start % 30 == 0 and s.stop - s.start <= 600 for s in spans)
        assert all(a.stop - b.start >= 90 for a, b in zip(spans, spans[1:]))  # noqa: RUF007
    monkeypatch.setattr(sampling, "TOGETHER", 2)
    session = ReferenceSession.of_audio(sound(1300), built)
    assert len(session.spans) == 3, "more windows than are denoised together"
    made = session.motion(seed=1, steps=2)
    assert made.codes.shape == (1300, 256) and made.poses.shape == (1300, 104)
    assert made.tokens.shape == (44, 4) and made.keyposes.shape == (44, 104)
    speed = np.abs(np.diff(made.poses, axis=0)).mean(1)
    joins = [s.start for s in session.spans[1:]] + [s.stop - 1 for s in session.spans[:-1]]
    assert max(speed[j - 1 : j + 1].max() for j in joins) < 3 * np.percentile(speed, 99)
    short = ReferenceSession.of_audio(sound(90), built)
    again = short.motion(seed=3, steps=4)
    assert np.array_equal(again.poses, ReferenceSession.of_audio(sound(90), built).motion(seed=3, steps=4).poses)
    assert not np.array_equal(again.poses, short.motion(seed=4, steps=4).poses)
    with pytest.raises(Cancelled):
        short.motion(seed=3, steps=4, cancelled=lambda: True)


def test_generate_writes_clips_that_keep_the_licence(built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = model.save(
        tmp_path / "own" / "person", PERSON, SMALL, built.networks, built.statistics, rig=built.rig,
        expressions=built.expressions,
    )  # fmt: skip
    soundfile.write(tmp_path / "talk.wav", sound(75), 48_000)
    voices = tuple(Voice(tmp_path / "talk.wav", channel) for channel in (0, 1))
    request = GenerateRequest((VoiceSpec("talk", *voices),), tmp_path / "talk.npz", str(folder), steps=4)
    clip = MotionClip.load(generate(request).clips[0])
    assert clip.frames == 75 and clip.face_names == ARKIT and clip.joint_quats.shape == (75, 52, 4)
    assert clip.guide_tokens.shape == (3, 4) and clip.guide_quats.shape == (3, 52, 4)
    assert clip.meta["non_commercial"] is True and clip.meta["licence"] == "CC-BY-NC-4.0"
    monkeypatch.setenv("A2P_MODELS", str(tmp_path / "own"))
    assert cli.main(["models"]) == 0


def test_models_and_faces_without_a_map(built, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = model.save(tmp_path / "m", PERSON, SMALL, built.networks, built.statistics)
    assert cli.main(["models", str(folder)]) == 0
    assert "CC-BY-NC-4.0  (non-commercial use only)" in capsys.readouterr().out
    soundfile.write(tmp_path / "talk.wav", sound(60), 48_000)
    common = ["generate", str(tmp_path / "talk.wav"), "--stereo", "--model", str(folder), "--steps", "4", "-o"]
    assert cli.main([*common, str(tmp_path / "a.npz")]) == 2
    assert "has no body description" in capsys.readouterr().err
    assert cli.main([*common, str(tmp_path / "a.npz"), "--no-body"]) == 0
    assert MotionClip.load(tmp_path / "a.npz").face_space == "audio2photoreal256"
    (folder / "face.safetensors").write_bytes(b"half")
    assert cli.main([*common, str(tmp_path / "b.npz"), "--no-body"]) == 2
    assert "face.safetensors is damaged" in capsys.readouterr().err


def test_expressions_are_learned_from_pairs(built, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    draw = np.random.default_rng(0)
    codes = draw.normal(size=(900, 256))
    true = draw.normal(size=(256, 52)) * 0.01
    weights = np.clip(0.4 + codes @ true + draw.normal(size=(900, 52)) * 0.01, 0, 1)
    folder = model.save(tmp_path / "m", PERSON, SMALL, built.networks, built.statistics)
    np.savez(tmp_path / "pairs.npz", codes=codes, weights=weights[:, ::-1], names=ARKIT[::-1])
    assert cli.main(["fit-expressions", str(folder), "--pairs", str(tmp_path / "pairs.npz")]) == 0
    found = model.load(folder).expressions
    fresh = draw.normal(size=(300, 256))
    assert np.abs(found(fresh) - np.clip(0.4 + fresh @ true, 0, 1)).mean() < 0.02 and found.error < 0.02
    np.savez(tmp_path / "few.npz", codes=codes[:10], weights=weights[:10])
    assert cli.main(["fit-expressions", str(folder), "--pairs", str(tmp_path / "few.npz")]) == 2
    assert "10 samples are too few" in capsys.readouterr().err


def test_the_face_solve_finds_the_weights_of_a_mesh():
    draw = np.random.default_rng(0)
    neutral, shapes = draw.normal(size=(40, 3)), draw.normal(size=(12, 40, 3)) * 0.2
    weights = np.clip(draw.uniform(-0.5, 1.5, (6, 12)), 0, 1)
    vertices = neutral + np.einsum("te,evc->tvc", weights, shapes)
    assert np.abs(expressions.solve_geometry(vertices, neutral, shapes) - weights).max() < 1e-3


def test_bodies_stand_upright_however_the_dome_counts(built):
    """A capture whose axes lie anywhere: the joints' own turns come out, the hips upright, ahead and at home."""
    draw = np.random.default_rng(0)
    poses = np.concatenate(
        [np.zeros((40, 6)), draw.normal(size=(1, 98)) * 0.1 + draw.normal(size=(40, 98)) * 0.02], axis=1
    )
    straight, _ = built.rig.humanoid_motion(poses)
    poses[:, :6] = [30.0, -12, 5, 2.5, 0.4, -1.0]
    turned, root = built.rig.humanoid_motion(poses)
    assert (np.abs((straight * turned).sum(-1)) > 1 - 1e-6).all()
    assert np.abs(turned[:, 0] - [1, 0, 0, 0]).max() < 1e-5 and np.allclose(root, root[0], atol=1e-5)
    angles = draw.uniform(-1.4, 1.4, (50, 3))
    assert np.allclose(to_euler(from_euler(angles)), angles)


def test_momentum_files_make_the_same_rig(tmp_path: Path):
    wanted = rig()
    bones = [
        {"Name": n, "Parent": p, "TranslationOffset": list(o), "PreRotation": [0, 0, 0, 1]}
        for n, p, o in zip(wanted.names, wanted.parents, wanted.offsets.tolist())
    ]
    lines = ["Momentum Model Definition V1.0", "[ParameterTransform]"]
    for column, name in enumerate(wanted.parameters[:104]):
        row = int(np.argmax(wanted.transform[:, column]))
        lines.append(f"{wanted.names[row // 7]}.{CHANNELS[row % 7]} = 1.0 * {name}")
    lines += ["head.sc = 0.0 * scale_head", "hips.sc = 1.0 * scale_all # bigger", "[Limits]", "limit x minmax [0, 1]"]
    text = json.dumps({"Skeleton": {"Bones": bones}})
    found = momentum.read_momentum(text, "\n".join(lines), wanted.build)
    assert found.parameters == wanted.parameters and np.array_equal(found.transform, wanted.transform)
    saved = found.save(tmp_path / "rig.json")
    assert np.array_equal(type(found).load(saved).offsets, wanted.offsets)
    with pytest.raises(UserError, match="cannot be understood: 'nonsense'"):
        momentum.read_momentum(text, "[ParameterTransform]\nhips.tx = nonsense")
    with pytest.raises(UserError, match="no momentum character"):
        momentum.read_momentum("{}", "")


def test_published_figures_by_both_definitions():
    draw = np.random.default_rng(0)
    real = draw.normal(size=(3, 80, 4))
    made = np.stack([real + 2.0, real - 2.0])
    found = evaluation.figures(made, real)
    spread = real.var(axis=1).mean()
    for row in found.values():
        assert np.isclose(row["Div_k"], spread) and np.isclose(row["Div_sample"], 4.0)
        assert np.isclose(row["FD_k"], 0, atol=1e-4)
    assert found["code"]["Div_g"] > found["paper"]["Div_g"], "the takes lie apart; a stretch does not"
    moved = evaluation.figures((real + 3.0)[None], real)
    assert np.isclose(moved["paper"]["FD_g"], 4 * 9.0) and np.isnan(moved["paper"]["Div_sample"])
    assert "| paper: full | 2.94 | 0.96 | 2.98 | 2.36 | 3.58 |" in evaluation.table(
        {"paper: full": dict(zip(evaluation.FIGURES, evaluation.PAPER["paper: full"]))}
    )


def test_lip_errors_in_square_millimetres():
    real = np.zeros((5, 4, 3))
    real[:, 0, 0], real[:, 1, 0], real[:, 2, 1], real[:, 3, 1] = -25, 25, 6, -6
    made = real.copy()
    made[:, 1, 0] += 3  # wider by 3 mm
    made[:, 3, 1] -= 2  # further open by 2 mm
    points = evaluation.LipPoints(0, 1, 2, 3, (0, 1, 2, 3))
    assert np.allclose(evaluation.lip_errors(made, real, points), (9.0, 4.0, (9 + 4) / 4))
