"""The importer: a released tree to a model folder, and everything that is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_support import PERSON, SMALL, networks, statistics, write_tree

from a2p_core.checkpoints import registry
from a2p_core.data.reference.synthetic import rig
from a2p_core.errors import UserError
from a2p_core.reference import importer, model
from a2p_core.reference.statistics import Statistics


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("released"), networks())


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    import shutil

    return shutil.copytree(tree, tmp_path / "tree")


def bring(root: Path, out: Path, person: str = PERSON, **more) -> Path:
    return importer.run(root, person, out, base=SMALL, **more)


def test_import_keeps_every_weight(tree: Path, tmp_path: Path):
    folder = bring(tree, tmp_path / "model", rig=rig())
    found = registry.open_model(str(folder))
    wanted = networks().by_kind()
    for kind, network in found.networks.by_kind().items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, wanted[kind].state_dict()[key]), (kind, key)
    assert found.config == SMALL and found.person == PERSON
    for name, value in vars(statistics()).items():
        assert np.array_equal(getattr(found.statistics, name), value), name
    assert found.rig.names == rig().names and np.array_equal(found.rig.transform, rig().transform)


def test_the_licence_goes_with_the_weights(tree: Path, tmp_path: Path):
    folder = bring(tree, tmp_path / "model")
    entry = registry.info(folder)
    assert entry.non_commercial and entry.licence == "CC-BY-NC-4.0"
    assert model.load(folder).non_commercial
    assert not any(shipped.non_commercial for shipped in registry.models())


class Trap:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_with_code_is_refused_and_nothing_runs(copy: Path, tmp_path: Path):
    path, mark = copy / "checkpoints/vq/c1_pose/net_iter300000.pth", tmp_path / "ran"
    torch.save({"net": {}, "scheduler": Trap(mark)}, path)
    with pytest.raises(UserError, match=r"net_iter300000\.pth holds code \(posix\.mkdir\)"):
        bring(copy, tmp_path / "model")
    assert not mark.exists() and not (tmp_path / "model").exists()


def broken(copy: Path, name: str, change) -> None:
    path = copy / name
    held = torch.load(path, weights_only=True)
    change(held)
    torch.save(held, path)


FACE = "checkpoints/diffusion/c1_face/model000155000.pt"
GUIDE = "checkpoints/guide/c1_pose/checkpoints/iter-0100000.pt"
EAR = "audio_model.feature_extractor.conv_layers.0.0.weight"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda r: cut(r / FACE), r"model000155000\.pt is damaged or not fully downloaded"),
        (lambda r: (r / FACE).write_bytes(b""), r"model000155000\.pt is damaged or not fully downloaded"),
        (lambda r: (r / FACE).write_text("<html>404</html>"), r"model000155000\.pt is damaged or not fully"),
        (lambda r: cut(r / "dataset" / PERSON / "data_stats.pth"), r"data_stats\.pth is damaged"),
        (lambda r: (r / "dataset" / PERSON / "data_stats.pth").unlink(), r"data_stats\.pth is missing"),
        (lambda r: (r / "checkpoints/guide/c1_pose/args.json").unlink(), r"args\.json is missing"),
        (lambda r: (r / GUIDE).unlink(), r"the folder holds no checkpoint"),
        (lambda r: broken(r, FACE, lambda s: (s.pop("norm_cond.bias"), s.pop("final_layer.bias"))),
         r"missing: final_layer\.bias, norm_cond\.bias"),
        (lambda r: broken(r, FACE, lambda s: s.update(foo=torch.zeros(2), bar=torch.zeros(2))), r"surplus: bar, foo"),
        (lambda r: broken(r, FACE, lambda s: s.update({"norm_cond.bias": torch.zeros(7)})),
         r"of another size: norm_cond\.bias \(7,\), not \(32,\)"),
        (lambda r: broken(r, FACE, lambda s: s["rotary.freqs"].mul_(2)), r"another table under rotary\.freqs"),
        (lambda r: broken(r, GUIDE, lambda s: s["model_state_dict"][EAR].add_(1)), r"another audio network"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(copy: Path, tmp_path: Path, harm, said: str):
    harm(copy)
    with pytest.raises(UserError, match=said) as found:
        bring(copy, tmp_path / "model")
    assert str(found.value).count("\n") == 0
    assert not (tmp_path / "model").exists()


def test_statistics_of_somebody_else_are_refused(copy: Path, tmp_path: Path):
    statistics(0.01365).save(copy / "dataset" / PERSON / "data_stats.pth")
    with pytest.raises(UserError, match=r"data_stats\.pth holds the statistics of RLW104, not of PXB184"):
        bring(copy, tmp_path / "model")


def test_weights_of_somebody_else_are_refused(copy: Path, tmp_path: Path):
    path = copy / "checkpoints/diffusion/c1_face/args.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data_root": "./dataset/TXB805"}))
    with pytest.raises(UserError, match="weights of TXB805, not of PXB184"):
        bring(copy, tmp_path / "model")


def test_statistics_as_numpy_pickles_them(tmp_path: Path):
    """The released file holds numpy arrays, in the pickles of an older numpy."""
    path = tmp_path / "data_stats.pth"
    statistics().save(path)
    import zipfile

    old = tmp_path / "old.pth"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for entry in source.infolist():
            data = source.read(entry).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            target.writestr(entry, data)
    assert np.array_equal(Statistics.load(old, PERSON).code_std, statistics().code_std)
