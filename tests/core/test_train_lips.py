"""The lip regressor's training: the loss on contacts, growing deeper, phones placed again."""

from dataclasses import replace

import numpy as np
import torch

from a2p_core.data.face import retime
from a2p_core.face.lips import LipConfig, LipRegressor
from a2p_core.face.phones import INDEX, PHONES, SIL
from a2p_core.train import lips

SIZES = {"vertices": 4, "width": 16, "dilations": (1, 2), "head_width": 16, "hidden_features": False, "heard": 6}
SMALL = LipConfig(phones=len(PHONES), **SIZES)


def _logits(phones: list[str]) -> torch.Tensor:
    """Logits [1, M, P] that are sure of these phones."""
    out = torch.full((1, len(phones), len(PHONES)), -4.0)
    for frame, name in enumerate(phones):
        out[0, frame, INDEX[name]] = 8.0
    return out


def test_contact_loss_asks_for_the_contact_and_for_no_other():
    said = [SIL] * 4 + ["aa"] * 6 + ["b"] * 4 + ["iy"] * 6 + ["s"] * 5
    phones = torch.tensor([[INDEX[name] for name in said]])
    group = lips.CONTACTS[0]

    def cost(heard: list[str]) -> float:
        return float(lips.contact_loss(_logits(heard), phones, group))

    right, late = cost(said), cost([said[0], *said[:-1]])
    missed, made_up = cost([n if n != "b" else "d" for n in said]), cost([*said[:-3], "m", "m", "m"])
    assert right < 0.05 and late < 0.05  # a frame late is as good
    assert missed > 5 and made_up > 5
    assert float(lips.contact_loss(_logits(said), torch.full_like(phones, -100), group)) == 0.0


def test_a_deeper_regressor_begins_where_the_old_one_ended():
    torch.manual_seed(0)
    old = LipRegressor(SMALL).eval()
    new = LipRegressor(replace(SMALL, dilations=(*SMALL.dilations, 4))).eval()
    sound = torch.randn(1, 50, 80), torch.randn(1, 25, 6)
    assert not torch.allclose(new(*sound).phones, old(*sound).phones)
    lips.begin_with(new, old)
    assert torch.equal(new(*sound).phones, old(*sound).phones) and torch.equal(new(*sound).lips, old(*sound).lips)


def test_phones_are_placed_where_they_are_heard_with_the_pause_between_them():
    rows = [(SIL, 20), ("m", 8), ("aa", 15), (SIL, 12), ("b", 7), ("iy", 18), (SIL, 10)]
    heard = [name for name, count in rows for _ in range(count)]
    posteriors = _logits(heard)[0].log_softmax(-1).numpy().astype(np.float64)
    found = retime.retime(posteriors, ["m", "aa", "b", "iy"], np.full(len(PHONES), 0.02))
    ends = np.cumsum([count for _, count in rows]) / 100
    wanted = [("m", 0.20, ends[1]), ("aa", ends[1], ends[2]), ("b", ends[3], ends[4]), ("iy", ends[4], ends[5])]
    assert [s[0] for s in found.segments] == ["m", "aa", "b", "iy"]
    np.testing.assert_allclose([s[1:] for s in found.segments], [s[1:] for s in wanted], atol=0.011)
    assert found.score > -0.1
    worse = retime.retime(posteriors, ["p", "aa", "d", "iy"], np.full(len(PHONES), 0.02))
    assert worse.score < found.score - 2


def test_a_long_utterance_is_placed_as_a_short_one_is():
    names = ["m", "aa"] * 40
    posteriors = _logits([name for name in names for _ in range(6)])[0].log_softmax(-1).numpy().astype(np.float64)
    found = retime.retime(posteriors, names, np.full(len(PHONES), 0.02))
    assert [name for name, *_ in found.segments] == names
    np.testing.assert_allclose([start for _, start, _ in found.segments], np.arange(80) * 0.06, atol=0.011)


def test_too_short_a_sound_for_its_phones_is_no_alignment():
    posteriors = np.log(np.full((10, len(PHONES)), 1 / len(PHONES)))
    assert retime.retime(posteriors, ["m", "aa", "b", "iy", "t"], np.full(len(PHONES), 0.02)).segments == []
