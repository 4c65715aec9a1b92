"""The guide transformer: which pose, second by second, an actor would strike for this audio (paper, section 3.3).

Autoregressive over residual-VQ tokens of 1 fps poses, pose by pose and level by level, with cross-attention to both
speakers' audio. Sampling keeps the keys and values of what is written, so a token costs one small pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .. import scratch
from ..diffusion.blocks import Cache, DecoderLayer, rotary_table
from ..errors import Cancelled
from .audio import BodyAudio, listen_long
from .lane import PERIOD

CONTEXT = 20  #: poses (seconds) the guide sees at once, as in the paper
TOP_P = 0.98  #: what it draws from; from less it draws poses that lie closer together than captured ones
KEPT = 8  #: poses carried over into the next stretch of a long dialogue
_STRIDE = 5  #: motion frames per audio token (6 Hz)


@dataclass(frozen=True)
class GuideConfig:
    codes: int = 256
    levels: int = 4  #: D
    width: int = 128
    layers: int = 4
    heads: int = 4
    hidden: int = 256
    audio: int = 48  #: width of each channel's audio features
    dropout: float = 0.1
    features: str = "mel"  #: what it hears (`audio.prosody.HEARD`)


class Guide(nn.Module):
    def __init__(self, config: GuideConfig):
        super().__init__()
        self.config = c = config
        self.audio = BodyAudio(c.audio, c.dropout, c.features)
        self.audio_in = nn.Linear(2 * c.audio, c.width)
        self.audio_norm = nn.LayerNorm(c.width)
        self.pool = nn.Sequential(nn.Linear(c.width, c.width), nn.SiLU(), nn.Linear(c.width, c.width))
        self.token = nn.Embedding(c.levels * c.codes + 1, c.width)  # one table per level, and the start
        self.level = nn.Embedding(c.levels, c.width)
        self.layers = nn.ModuleList(DecoderLayer(c.width, c.heads, c.hidden, c.dropout, 1) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.out = nn.Linear(c.width, c.levels * c.codes)

    def listen(self, both: torch.Tensor) -> torch.Tensor:
        """Motion features of both channels [B, T, 2 · HEARD] → audio tokens [B, T / 5, D]."""
        x = self.audio_in(self.audio(both))
        return nn.functional.avg_pool1d(x.transpose(1, 2), _STRIDE, ceil_mode=True).transpose(1, 2)

    def _memory(self, heard: torch.Tensor) -> tuple[torch.Tensor, list, torch.Tensor]:
        """FiLM vector, keys and values per layer, and the audio around each second, of audio tokens [B, M, D]."""
        times = (torch.arange(heard.shape[1], device=heard.device) + 0.5) * _STRIDE
        angles = rotary_table(times, self.config.width // self.config.heads)
        memories = [layer.memory_keys_values([(self.audio_norm(heard), angles)]) for layer in self.layers]
        per_pose = PERIOD // _STRIDE
        padded = nn.functional.pad(heard.transpose(1, 2), (per_pose // 2, per_pose // 2), mode="replicate")
        around = nn.functional.avg_pool1d(padded, per_pose + 1, stride=per_pose).transpose(1, 2)
        return self.pool(heard.mean(1)), memories, around

    def _embed(self, tokens: torch.Tensor, first: int, around: torch.Tensor) -> torch.Tensor:
        """Inputs at sequence places first.. : the token before each place, its level, the audio at its second."""
        c = self.config
        place = first + torch.arange(tokens.shape[1], device=tokens.device)
        second = (place // c.levels).clamp(max=around.shape[1] - 1)
        return self.token(tokens) + self.level(place % c.levels) + around[:, second]

    def _run(self, inputs: torch.Tensor, first: int, vector: torch.Tensor, memories: list, caches: list | None):
        place = first + torch.arange(inputs.shape[1], device=inputs.device)
        angles = rotary_table(place * (PERIOD / self.config.levels), self.config.width // self.config.heads)
        x = inputs
        for i, layer in enumerate(self.layers):
            x = layer(x, angles, vector, memories[i], caches[i] if caches else None, causal=True)
        logits = self.out(self.norm(x)).unflatten(-1, (self.config.levels, self.config.codes))
        level = (place % self.config.levels)[None, :, None, None].expand(len(x), -1, 1, self.config.codes)
        return logits.gather(2, level).squeeze(2)

    def _shifted(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens [B, K, D] as the inputs that predict them: start token first, numbered per level."""
        c = self.config
        offset = torch.arange(c.levels, device=tokens.device) * c.codes
        flat = (tokens + offset).flatten(1)
        start = flat.new_full((len(flat), 1), c.levels * c.codes)
        return torch.cat([start, flat], dim=1)

    def forward(self, both: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Teacher forcing: features [B, T, 2 · HEARD], tokens [B, K, D] → logits [B, K, D, codes]."""
        vector, memories, around = self._memory(self.listen(both))
        inputs = self._embed(self._shifted(tokens)[:, :-1], 0, around)
        return self._run(inputs, 0, vector, memories, None).unflatten(1, tokens.shape[1:])

    @torch.inference_mode()
    def sample(
        self,
        both: torch.Tensor,
        poses: int,
        generator: torch.Generator,
        top_p: float = TOP_P,
        progress: Callable[[float], None] = lambda _f: None,
        cancelled: Callable[[], bool] = lambda: False,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Tokens [K, D] for features [T, 2 · HEARD] of any length, `CONTEXT` seconds at a time, `KEPT` carried over.

        `bias` [D, codes] is added to the log odds of the codes (`manner.Manner.bias`).
        """
        return self.sample_many(both[None], poses, [generator], top_p, progress, cancelled, bias)[0]

    @torch.inference_mode()
    def sample_many(
        self,
        both: torch.Tensor,
        poses: int,
        generators: Sequence[torch.Generator],
        top_p: float = TOP_P,
        progress: Callable[[float], None] = lambda _f: None,
        cancelled: Callable[[], bool] = lambda: False,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Tokens [B, K, D] for features [B, T, 2 · HEARD] of lines of one length, each with its own generator."""
        device = self.audio_in.weight.device
        heard = listen_long(self.listen, both, device, _STRIDE)
        per_pose = PERIOD // _STRIDE
        written = torch.zeros((len(both), 0, self.config.levels), dtype=torch.long, device=device)
        first = 0
        bias = torch.zeros((self.config.levels, 1)) if bias is None else bias
        while written.shape[1] < poses:
            part = heard[:, first * per_pose : (first + CONTEXT) * per_pose]
            if part.shape[1] < per_pose:  # the last pose may lie on the very end
                part = heard[:, -per_pose:]
            until = min(first + CONTEXT, poses) - first
            prefix = written[:, first:]
            stretch = self._stretch(part.to(device), prefix, until, generators, top_p, cancelled, bias.to(device))
            written = torch.cat([written[:, :first], stretch], dim=1)
            first = written.shape[1] - KEPT
            progress(written.shape[1] / poses)
            scratch.release()
        return written

    def _stretch(self, heard, prefix, poses, generators, top_p, cancelled, bias):
        """Write on from the prefix [B, k, D] until there are `poses` poses."""
        c = self.config
        vector, memories, around = self._memory(heard)
        caches = [Cache() for _ in self.layers]
        inputs = self._shifted(prefix)
        tokens, place = prefix.flatten(1), 0
        while (count := tokens.shape[1]) < poses * c.levels:
            if cancelled():
                raise Cancelled
            logits = self._run(self._embed(inputs, place, around), place, vector, memories, caches)[:, -1]
            logits = logits + bias[count % c.levels]
            place += inputs.shape[1]
            drawn = torch.tensor(
                [[nucleus(row, top_p, generator)] for row, generator in zip(logits, generators, strict=True)],
                device=heard.device,
            )
            inputs = drawn + (count % c.levels) * c.codes
            tokens = torch.cat([tokens, drawn], dim=1)
        return tokens.view(len(tokens), -1, c.levels)


def nucleus(logits: torch.Tensor, top_p: float, generator: torch.Generator) -> int:
    """Draw one index from the smallest set of likeliest ones that holds `top_p` (Holtzman 2020); the first is in."""
    probability, order = logits.float().softmax(-1).cpu().sort(descending=True)
    kept = probability.cumsum(-1) - probability < top_p
    return int(order[torch.multinomial(probability * kept, 1, generator=generator)])
