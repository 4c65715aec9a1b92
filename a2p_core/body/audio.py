"""How the body networks listen: both channels through one small convolutional encoder (paper, section 3.3).

The same weights hear the speaker and the partner; their features are joined, speaker first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .. import scratch
from ..audio.prosody import HEARD

_PIECE, _REACH = 3000, 60  #: motion frames heard at once, and those around them that decide what is heard


class BodyAudio(nn.Module):
    """Motion features of two channels [B, T, 2 · HEARD[features]] → [B, T, 2 · width], ±0.8 s of context at 30 fps."""

    def __init__(self, width: int, dropout: float = 0.1, features: str = "mel"):
        super().__init__()
        self.stem = nn.Conv1d(HEARD[features], width, 5, padding=2, padding_mode="replicate")
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GELU(),
                nn.Conv1d(width, width, 5, padding=2 * d, dilation=d, padding_mode="replicate"),
                nn.Dropout(dropout),
            )
            for d in (1, 2, 4, 4)
        )

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        batch = len(both)
        x = torch.cat(both.chunk(2, dim=-1)).transpose(1, 2)
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return torch.cat(x.transpose(1, 2).split(batch), dim=-1)


def listen_long(
    network: Callable[[torch.Tensor], torch.Tensor], both: torch.Tensor, device: torch.device, stride: int = 1
) -> torch.Tensor:
    """What `network` hears in features [B, T, 2 · HEARD] of any length [B, T / stride, D], on the CPU: piece by piece,
    with the very same result. `stride` is how many motion frames one of its frames stands for."""
    batch, frames, _ = both.shape
    out: torch.Tensor | None = None
    for here in scratch.pieces(frames, _PIECE):
        begin, end = max(here.start - _REACH, 0), min(here.stop + _REACH, frames)
        with torch.inference_mode():
            heard = network(both[:, begin:end].to(device)).cpu()
        if out is None:
            out = torch.from_numpy(scratch.zeros((batch, -(-frames // stride), heard.shape[-1])))
        first, last = here.start // stride, -(-here.stop // stride)
        out[:, first:last] = heard[:, first - begin // stride : last - begin // stride]
    return out
