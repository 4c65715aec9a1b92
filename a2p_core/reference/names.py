"""The released checkpoints' names of what our networks call otherwise, and what else those files hold.

`entries(kind, network)` is the one table: every key of a released network → our key, or why it has none. Keys that are
`UNUSED` take no part in any forward pass; `FIXED` ones are tables that follow from the sizes and are checked, not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import nn

from ..diffusion.blocks import rotary_table
from .audio import resampling_kernel
from .lips import positions

_ATTENTION = ((r"\.project\.", ".in_proj_"), (r"\.out\.(weight|bias)$", r".out_proj.\1"))
_LAYER = (
    *_ATTENTION,
    (r"\.feedforward\.0\.", ".linear1."),
    (r"\.feedforward\.3\.", ".linear2."),
)
_DECODER = (
    (r"^layers\.(\d+)\.", r"seqTransDecoder.stack.\1."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.cross_attention\.0\.", ".multihead_attn."),
    (r"\.cross_attention\.1\.", ".multihead_attn2."),
    (r"\.read\.", ".block."),
    *_LAYER,
)
_HEARING = (
    (r"^null_condition$", "null_cond_embed"),
    (r"^null_pooled$", "null_cond_hidden"),
    (r"^condition_norm\.", "norm_cond."),
    (r"^condition_in\.", "cond_projection."),
    (r"^pool\.", "non_attn_cond_projection."),
)
_FEATURES = (
    (r"convolutions\.(\d+)\.", r"conv_layers.\1.0."),
    (r"norms\.(\d+)\.", r"conv_layers.\1.2."),
)
#: kind of network → (pattern in our key, replacement), applied in turn
_RENAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "vq_wav2vec": ((r"^", "feature_extractor."), *_FEATURES),
    "lip": (
        (r"^speech\.features\.", "audio_encoder.wav2vec_model.feature_extractor."),
        (r"^(audio_encoder.*)convolutions\.(\d+)\.", r"\1conv_layers.\2.0."),
        (r"^(audio_encoder.*)norms\.(\d+)\.", r"\1conv_layers.\2.2."),
        (r"^speech\.causal\.(\d+)\.", r"audio_encoder.wav2vec_model.feature_aggregator.conv_layers.\1.1."),
        (r"^speech\.norms\.(\d+)\.", r"audio_encoder.wav2vec_model.feature_aggregator.conv_layers.\1.3."),
        (r"^encoder\.", "regression_model.transformer_encoder."),
        (r"^decoder\.", "regression_model.transformer_decoder."),
        (r"^out\.", "project_output."),
        (r"\.norms\.0\.", ".norm1."),
        (r"\.norms\.1\.", ".norm2."),
        (r"\.norms\.2\.", ".norm3."),
        (r"\.(self_attention|attention)\.", ".self_attn.self_attn."),
        (r"\.cross_attention\.", ".cross_attn.cross_attn."),
        (r"\.feedforward\.", ".feedforward.ff."),
        *_ATTENTION,
    ),
    "tokenizer": (
        (r"^encode_in\.", "encoder.enc.0."),
        (r"^levels\.(\d+)\.embed$", r"quantizer.layers.\1._codebook.embed"),
        (r"^levels\.(\d+)\.total$", r"quantizer.layers.\1._codebook.embed_avg"),
        (r"^levels\.(\d+)\.count$", r"quantizer.layers.\1._codebook.cluster_size"),
        (r"^levels\.(\d+)\.filled$", r"quantizer.layers.\1._codebook.inited"),
    ),
    "guide": (
        (r"^token\.", "token_embedding."),
        (r"^out\.", "final_layer."),
        *_HEARING,
        *_DECODER,
        *((rf"\.{part}s\.{i}\.", f".{part}{i + 1}.") for part in ("norm", "film") for i in range(3)),
    ),
    "denoiser": (
        (r"^null_poses$", "null_pose_embed"),
        (r"^motion_in\.", "input_projection."),
        (r"^motion_out\.", "final_layer."),
        (r"^time\.hidden\.0\.", "time_mlp.1."),
        (r"^time\.vector\.", "to_time_cond.0."),
        (r"^time\.tokens\.", "to_time_tokens.0."),
        (r"^pose_in\.", "frame_cond_projection."),
        (r"^pose_norm\.", "frame_norm_cond."),
        (r"^smooth\.convolutions\.", "post_pose_layers."),
        (r"^smooth\.out\.", "final_conv."),
        (r"^condition_encoder\.(\d+)\.attention\.", r"cond_encoder.\1.self_attn."),
        (r"^condition_encoder\.", "cond_encoder."),
        *_HEARING,
        *_DECODER,
    ),
}
_FACE_PARTS, _BODY_PARTS = ("1", "2", "3"), ("1", "2", "2a", "3")
_CONVOLUTION_PLACES = {"encode_mix": ("encoder.enc", 2), "decode_mix": ("decoder.dec", 0)}

UNUSED = {
    "vq_wav2vec": r"(vector_quantizer|feature_aggregator|wav2vec_predictions)\.",
    "lip": r"audio_encoder\.wav2vec_model\.wav2vec_predictions\.",
    "tokenizer": r"decoder\.project_mean_shape\.",
    "guide": r"audio_model\.",
    "face": r"(audio_model|lip_model)\.",
    "body": r"(audio_model|transformer|tokenizer)\.",
}
#: whose network a released key's prefix belongs to: frozen parts stand in every file that needs them
OWNERS = {"audio_model.": "vq_wav2vec", "lip_model.": "lip", "transformer.": "guide", "tokenizer.": "tokenizer"}
FIXED = r"(^|.*\.)(rotary\.freqs|(audio_)?resampler\.kernel|[a-z]+_positional_encoding\.pe)$"


@dataclass(frozen=True)
class Entry:
    ours: str  #: key in our network
    shape: tuple[int, ...]  #: in the released file


def entries(kind: str, network: nn.Module) -> dict[str, Entry]:
    """Released key → ours, for every weight of our network of the kind (a key of `UNUSED`)."""
    found = {}
    for ours, value in network.state_dict().items():
        shape = tuple(value.shape) or (1,)
        found[_theirs(kind, ours, network)] = Entry(ours, shape)
    return found


def _theirs(kind: str, key: str, network: nn.Module) -> str:
    parts = key.split(".")
    if parts[0] in _CONVOLUTION_PLACES:
        stem, first = _CONVOLUTION_PLACES[parts[0]]
        return f"{stem}.{first + 2 * int(parts[1])}.{parts[2]}"
    if kind == "tokenizer" and parts[0] == "decode_out":
        return f"decoder.dec.{2 * len(network.decode_mix)}.{parts[1]}"
    if kind == "guide" and parts[0] == "audio_mix":
        return f"pre_audio.{3 * int(parts[1])}.{parts[2]}"
    if kind == "guide" and parts[0] == "audio_out":
        return f"pre_audio.{3 * len(network.audio_mix)}.{parts[1]}"
    if kind in ("face", "body"):
        names = _BODY_PARTS if network.config.poses else _FACE_PARTS
        for i, name in enumerate(names):
            key = re.sub(rf"\.(norm|film)s\.{i}\.", rf".\g<1>{name}.", key)
        kind = "denoiser"
    for pattern, replacement in _RENAMES[kind]:
        key = re.sub(pattern, replacement, key)
    return key


def fixed(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The table that a `FIXED` key must hold."""
    if key.endswith("rotary.freqs"):
        return rotary_table(torch.ones(1), 2 * shape[0])[0]
    if key.endswith("resampler.kernel"):
        return resampling_kernel()[None, None]
    return positions(*shape)


def fixed_keys(kind: str, network: nn.Module) -> dict[str, tuple[int, ...]]:
    """The `FIXED` keys of a released network, with their shapes."""
    if kind == "lip":
        table = (network.config.positions, network.config.speech.width)
        pair = {f"regression_model.{part}_positional_encoding.pe": table for part in ("cond", "target")}
        return {"audio_encoder.resampler.kernel": (1, 1, 41), **pair}
    if kind not in ("guide", "face", "body"):
        return {}
    layers = [f"seqTransDecoder.stack.{i}." for i in range(network.config.layers)]
    layers += [f"cond_encoder.{i}." for i in range(len(getattr(network, "condition_encoder", ())))]
    rates = {f"{place}rotary.freqs": (network.config.width // 2,) for place in ("", *layers)}
    return {"audio_resampler.kernel": (1, 1, 41), **rates}
