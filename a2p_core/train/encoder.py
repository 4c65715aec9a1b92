"""Brings the speech encoder's weights here: `python -m a2p_core.train.encoder WHEEL --model DIR`.

WHEEL is moonshine_voice-0.0.48-*.whl as `pip download --no-deps moonshine-voice==0.0.48` fetches it (MIT licence). In
it lies Moonshine's tiny English encoder; its first layers go into the model folder, the matrices as the bytes that they
are, the larger convolutions made into bytes. Needs onnx and onnxruntime (the `corpus` extra).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ..checkpoints.model import store
from ..clip import atomic_path
from ..errors import UserError
from ..face.encoder import EncoderConfig, SpeechEncoder

INSIDE = "moonshine_voice/assets/tiny-en/encoder_model.ort"
#: our names of a layer's parts → Moonshine's
PARTS = {
    "query": "self_attn/q_proj",
    "key": "self_attn/k_proj",
    "value": "self_attn/v_proj",
    "out": "self_attn/o_proj",
    "widen": "mlp/fc1",
    "narrow": "mlp/fc2",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m a2p_core.train.encoder", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="the model folder to write it to")
    given = parser.parse_args(arguments)
    try:
        write(encoder_of(given.wheel), given.model)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def write(encoder: SpeechEncoder, folder: Path) -> None:
    """The encoder as the model folder's."""
    about = json.loads((folder / "model.json").read_text())
    about["networks"] = {"encoder": asdict(encoder.config)} | about["networks"]
    store(folder, "encoder", encoder)
    with atomic_path(folder / "model.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n")


def encoder_of(wheel: Path) -> SpeechEncoder:
    """The encoder in Moonshine's wheel. Raises `UserError`."""
    try:
        import onnx
        import onnxruntime
        from onnx import numpy_helper
    except ImportError:
        raise UserError(
            "Reading Moonshine's weights takes onnx and onnxruntime: pip install onnx onnxruntime."
        ) from None
    try:
        packed = zipfile.ZipFile(wheel).read(INSIDE)
    except (OSError, KeyError, zipfile.BadZipFile):
        raise UserError(
            f"{wheel} is not the wheel with Moonshine's encoder: pip download --no-deps moonshine-voice==0.0.48."
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(Path(folder) / "encoder.onnx")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.save_model_format", "ONNX")
        onnxruntime.InferenceSession(packed, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = {node.name: node for node in graph.node}
    encoder = SpeechEncoder(EncoderConfig()).eval()
    state = _state(encoder.config, known, nodes)
    encoder.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return encoder


def _state(config: EncoderConfig, known: dict[str, np.ndarray], nodes: dict) -> dict[str, np.ndarray]:
    groups = nodes["/groupnorm/Mul"], nodes["/groupnorm/Add"]
    state = {
        "conv1.weight": known[nodes["/conv1/Conv"].input[1]],
        "norm.weight": known[groups[0].input[1]].ravel(),
        "norm.bias": known[groups[1].input[1]].ravel(),
    }
    for name in ("conv2", "conv3"):
        weight, bias = (known[nodes[f"/{name}/Conv"].input[i]] for i in (1, 2))
        parts = _in_bytes(weight) | {"bias": bias}
        state |= {f"{name}.{part}": value for part, value in parts.items()}
    for number in range(config.layers):
        layer = f"layers.{number}."
        state[layer + "norm_in.weight"] = known[layer + "input_layernorm.weight"]
        state[layer + "norm_mid.weight"] = known[layer + "post_attention_layernorm.weight"]
        for name, path in PARTS.items():
            node = nodes[f"/layers.{number}/{path}/MatMul_quant"]
            values = [i for i in node.input if i in known]
            bytes_, step, zero = (
                next(known[i] for i in values if i.endswith(end)) for end in ("_quantized", "_scale", "_zero_point")
            )
            rows = np.ones(bytes_.shape[1], np.float32)
            parts = {"weight": bytes_.T.copy(), "step": rows * step, "zero": rows * zero}
            if name in ("widen", "narrow"):
                parts["bias"] = known[layer + path.replace("/", ".") + ".bias"]
            state |= {f"{layer}{name}.{part}": value for part, value in parts.items()}
    return state


def _in_bytes(weight: np.ndarray) -> dict[str, np.ndarray]:
    """A convolution's weights [out, in, length] as bytes: every output's own range in 255 steps."""
    rows = weight.reshape(len(weight), -1)
    low, high = rows.min(axis=1), rows.max(axis=1)
    step = (high - low) / 255
    zero = np.round(-low / step)
    bytes_ = np.clip(np.round(weight / step[:, None, None] + zero[:, None, None]), 0, 255).astype(np.uint8)
    return {"weight": bytes_, "step": step, "zero": zero.astype(np.float32)}


if __name__ == "__main__":
    sys.exit(main())
