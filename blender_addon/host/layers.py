"""Layers of a performance, each a track of its own in the NLA, and which bones and shape keys belong to which."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from ..core import core
from .actions import Job

humanoid = core("skeleton.humanoid")
spaces = core("face.spaces")

ALL = "A2P"  #: the track that holds all layers at once


@dataclass(frozen=True)
class Layer:
    """joints: canonical joints whose bones it takes; shapes: ARKit shapes whose keys and bones it takes."""

    name: str
    joints: frozenset[str] = frozenset()
    shapes: frozenset[str] = frozenset()


_FINGERS = frozenset(humanoid.HUMANOID.names[j] for j in humanoid.FINGERS)
_HEAD = frozenset({"neck", "head"})
_BLINKS = frozenset(name for name in spaces.ARKIT if name.startswith("eyeBlink"))
_GAZE = frozenset(name for name in spaces.ARKIT if name.startswith("eyeLook"))
LAYERS = (
    Layer("body", joints=frozenset(humanoid.HUMANOID.names) - _FINGERS - _HEAD),
    Layer("head", joints=_HEAD),
    Layer("fingers", joints=_FINGERS),
    Layer("face", shapes=frozenset(spaces.ARKIT) - _BLINKS - _GAZE),
    Layer("blinks", shapes=_BLINKS),
    Layer("gaze", shapes=_GAZE),
)


def of_bones(body_map: object) -> dict[str, str]:
    """Bone -> layer, for the bones of a body map and their twist helpers. All other bones of a body are 'body'."""
    layer_of = {joint: layer.name for layer in LAYERS for joint in layer.joints}
    found = {bone: layer_of[joint] for joint, bones in body_map.bones.items() for bone in bones}
    return found | {bone: layer_of.get(joint, "body") for joint, bones in body_map.twist.items() for bone in bones}


def of_face(plan: object) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """((mesh, shape key) -> layer, bone -> layer): the layer whose shapes move it most."""
    answer = plan.solve(np.eye(len(spaces.ARKIT)), spaces.ARKIT)  # each shape alone
    rows = {
        layer.name: [i for i, name in enumerate(spaces.ARKIT) if name in layer.shapes]
        for layer in LAYERS
        if layer.shapes
    }

    def strongest(moves: np.ndarray) -> str:
        return max(rows, key=lambda name: float(moves[rows[name]].max()))

    keys = {(mesh, key): strongest(np.abs(v)) for mesh, own in answer.shapes.items() for key, v in own.items()}
    turns: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(spaces.ARKIT)))
    for bone, quats in answer.rotations.items():
        turns[bone] = turns[bone] + np.linalg.norm(quats[:, 1:], axis=-1)
    size = max((float(np.abs(v).max()) for v in answer.locations.values()), default=1.0) or 1.0
    for bone, places in answer.locations.items():
        turns[bone] = turns[bone] + np.linalg.norm(places, axis=-1) / size
    return keys, {bone: strongest(moves) for bone, moves in turns.items()}


def split(jobs: list[Job]) -> list[Job]:
    """Jobs of one layer each, on the track of that layer."""
    result = [job for job in jobs if not job.curves]
    for layer in LAYERS:
        for job in jobs:
            curves = [curve for curve in job.curves if (curve.layer or "body") == layer.name]
            if curves:
                label = layer.name.capitalize()
                names = {"name": f"{job.name} {layer.name}", "alone": f"{job.alone} {layer.name}"}
                result.append(replace(job, curves=curves, track=f"{ALL} {label}", **names))
    return result


def strips_of(thing: object, take: object) -> list[tuple[str, object, object]]:
    """(label, track, strip) of the layers on which a take plays; none when it plays as one action."""
    from . import takes

    found = []
    for target, player in takes.players(thing, take):
        for track in target.animation_data.nla_tracks if hasattr(player, "frame_start") else ():
            if player in list(track.strips):
                found.append((track.name.removeprefix(ALL).strip() or "All", track, player))
    return found
