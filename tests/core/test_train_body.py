"""Training of the body networks: what a run begins from, and what it keeps."""

from __future__ import annotations

import json

import numpy as np
import torch

from a2p_core.audio import prosody
from a2p_core.body.pose import SIZE
from a2p_core.checkpoints.model import load, pose_space
from a2p_core.checkpoints.registry import SHIPPED
from a2p_core.train import pack
from a2p_core.train.body import begun, body_network, guide_network
from a2p_core.train.loop import Options
from a2p_core.train.motion import space_of

BASE = SHIPPED / "base"


def test_a_run_begins_where_the_shipped_model_is():
    """Columns that the model did not hear yet count for nothing at first: the same motion, whatever they hold."""
    model = load(BASE)
    network = begun(body_network(), "body", Options(1, 1, start=BASE)).eval()
    old, new = (prosody.HEARD[n.denoiser.config.features] for n in (model.body, network))
    torch.manual_seed(0)
    both = torch.randn(1, 60, 2, new)
    with torch.inference_mode():
        theirs = model.body.listen(both[..., :old].flatten(2))
        ours = network.listen(both.flatten(2))
    assert torch.allclose(ours, theirs, atol=2e-3) or old == new
    assert torch.equal(network.denoiser.motion_in.weight, model.body.denoiser.motion_in.weight)


def test_new_columns_start_at_zero(tmp_path):
    from safetensors.torch import save_file

    old = guide_network()
    state = {k: v.half() for k, v in old.state_dict().items()}
    state["audio.stem.weight"] = state["audio.stem.weight"][:, :28].contiguous()
    save_file(state, tmp_path / "guide.safetensors")
    new = begun(guide_network(), "guide", Options(1, 1, start=tmp_path))
    assert torch.equal(new.audio.stem.weight[:, :28].half(), state["audio.stem.weight"])
    assert not new.audio.stem.weight[:, 28:].any()


def test_all_networks_of_a_training_folder_share_its_pose_space(tmp_path):
    shipped = pose_space(BASE)
    first = space_of(tmp_path / "out", lambda: shipped)
    again = space_of(tmp_path / "out", lambda: 1 / 0)
    for name in ("mean", "place", "scale"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert again.scale.shape == (SIZE,) and np.allclose(again.scale, shipped.scale)


def test_the_shipped_model_says_what_it_hears():
    model = load(BASE)
    written = json.loads((BASE / "model.json").read_text())["networks"]
    for name, network in (("guide", model.guide), ("body", model.body.denoiser)):
        assert network.config.features == written[name].get("features", "mel") in prosody.HEARD


def test_only_what_is_permissive_throughout_is_packed_so(tmp_path):
    """One network that goes on from shipped weights, one corpus with copyleft, one network of another model: GPL."""

    def packed(licences=("permissive", "permissive"), starts=("",) * 5, names=pack.TRAINED) -> str:
        for kind, said in zip(("face", "body"), licences):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / "manifest.json").write_text(json.dumps({"licences": said}))
        for name, start in zip(pack.TRAINED, starts):
            (tmp_path / name).mkdir(exist_ok=True)
            torch.save({"step": 1} | ({} if start is None else {"start": start}), tmp_path / name / "checkpoint.pt")
        return pack.licence(tmp_path, tmp_path, list(names))

    assert packed() == pack.PERMISSIVE
    for spoilt in (
        packed(licences=("permissive", "all")),
        packed(starts=("", "", "", "base", "")),
        packed(starts=("", "", "", None, "")),
        packed(names=("tokenizer", "guide", "body")),
    ):
        assert spoilt == pack.COPYLEFT
