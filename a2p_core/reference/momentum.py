"""Rigs from momentum's own files: a character in JSON and a model definition (`[ParameterTransform]`)."""

from __future__ import annotations

import json
import re

import numpy as np

from ..errors import UserError
from .config import JOINTS
from .rig import CHANNELS, Rig


def skeleton(character: str, source: str) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray, np.ndarray]:
    """Names, parents, offsets [J, 3] and pre-rotations [J, 4] of a JSON character. Raises `UserError`."""
    try:
        bones = json.loads(character)["Skeleton"]["Bones"]
        names = tuple(bone["Name"] for bone in bones)
        parents = tuple(p if 0 <= (p := int(bone["Parent"])) < len(bones) else -1 for bone in bones)
        offsets = np.array([bone.get("TranslationOffset", (0, 0, 0)) for bone in bones], dtype=np.float64)
        xyzw = np.array([bone.get("PreRotation", (0, 0, 0, 1)) for bone in bones], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source} is no momentum character in JSON ({error}).") from error
    return names, parents, offsets, np.roll(xyzw, 1, axis=1)


def read_momentum(
    character: str, definition: str, build: np.ndarray | None = None, source: str = "The character"
) -> Rig:
    """A rig from a JSON character and a model definition, as text.

    `build` are the person's values of the parameters after the first 104. Raises `UserError`.
    """
    names, parents, offsets, prerotations = skeleton(character, source)
    parameters: dict[str, int] = {}
    entries: list[tuple[int, str | None, float]] = []
    rows: dict[str, list[tuple[str | None, float]]] = {}
    for line in _section(definition, "ParameterTransform"):
        target, _, terms = line.partition("=")
        joint, _, channel = target.strip().rpartition(".")
        if joint not in names or channel not in CHANNELS:
            continue
        row = names.index(joint) * 7 + CHANNELS.index(channel)
        rows[target.strip()] = found = _terms(terms, rows, f"{source}: {line}")
        entries += [(row, name, value) for name, value in found]
        for name, _ in found:
            if name is not None:
                parameters.setdefault(name, len(parameters))
    if len(parameters) < JOINTS:
        raise UserError(f"{source} has {len(parameters)} parameters; a pose has {JOINTS}.")
    transform, constant = np.zeros((7 * len(names), len(parameters))), np.zeros(7 * len(names))
    for row, name, value in entries:
        if name is None:
            constant[row] += value
        else:
            transform[row, parameters[name]] += value
    rest = np.zeros(len(parameters) - JOINTS) if build is None else np.asarray(build, np.float64).reshape(-1)
    return Rig(names, parents, offsets, prerotations, tuple(parameters), transform, constant, rest)


def _section(text: str, name: str) -> list[str]:
    lines, inside = [], False
    for raw in text.splitlines():
        line = raw.split("#")[0].strip()
        if line.startswith("["):
            inside = line == f"[{name}]"
        elif inside and "=" in line:
            lines.append(line)
    return lines


def _terms(text: str, rows: dict[str, list], where: str) -> list[tuple[str | None, float]]:
    found: list[tuple[str | None, float]] = []
    for term in re.split(r"\s*\+\s*", text.strip()):
        factor, star, name = (part.strip() for part in term.partition("*"))
        try:
            value = float(factor)
        except ValueError as error:
            raise UserError(f"{where.strip()} cannot be understood: {term!r}.") from error
        if not star:
            found.append((None, value))
        elif name in rows:  # another joint's channel, with all that drives it
            found += [(inner, value * weight) for inner, weight in rows[name]]
        else:
            found.append((name, value))
    return found
