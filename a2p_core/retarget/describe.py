"""What detection found, as data for `a2p rig detect --json` and as text for people."""

from __future__ import annotations

from typing import Any

from ..skeleton.humanoid import HUMANOID
from .detect import Detection
from .maps import Control


def report(detection: Detection, face: Any = None) -> dict[str, Any]:
    """Everything found, fit for JSON.

    family, name, confidence (0..1), coverage (0..1), joints {canonical joint: [bones]}, missing [joints], root, twist,
    controls, ik, notes [sentences]; face (when given, a `FacePlan`, `FaceMap` or anything with `name`): name,
    confidence, missing, notes, as far as it tells them.
    """
    found = detection.map
    return {
        "family": found.family,
        "name": found.name,
        "confidence": round(float(detection.confidence), 3),
        "coverage": round(float(detection.coverage), 3),
        "joints": {joint: list(found.bones[joint]) for joint in HUMANOID.names if joint in found.bones},
        "missing": list(detection.missing),
        "root": found.root,
        "twist": {joint: list(row) for joint, row in found.twist.items()},
        "controls": [_control(one) for one in found.controls],
        "ik": {
            joint: {"control": ik.control, "pole": ik.pole, "switches": [_control(one) for one in ik.switches]}
            for joint, ik in found.ik.items()
        },
        "notes": list(detection.notes),
        "face": None if face is None else _face(face),
    }


def text(data: dict[str, Any]) -> str:
    """A `report` as lines for a terminal or a panel."""
    lines = [f"{data['name']} ({data['family']}), {data['confidence']:.0%} sure, {len(data['joints'])} joints"]
    lines += [f"  {note}" for note in data["notes"]]
    width = max(map(len, data["joints"]), default=0)
    lines += [f"  {joint:<{width}}  {', '.join(bones)}" for joint, bones in data["joints"].items()]
    if data["root"]:
        lines.append(f"  {'root':<{width}}  {data['root']}")
    lines += [f"  set {one['property']} of {one['bone']} to {one['value']:g}" for one in data["controls"]]
    if data["face"]:
        sure = data["face"].get("confidence")
        lines.append(f"Face: {data['face']['name']}" + (f", {sure:.0%} sure" if sure is not None else ""))
        lines += [f"  {note}" for note in data["face"].get("notes", [])]
    elif data.get("face_error"):
        lines.append(f"No face: {data['face_error']}")
    return "\n".join(lines)


def _control(control: Control) -> dict[str, Any]:
    return {"bone": control.bone, "property": control.property, "value": control.value}


def _face(face: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"name": str(face.name)}
    for key in ("confidence", "missing", "notes"):
        value = getattr(face, key, None)
        if isinstance(value, str):
            value = [value] if value else []
        if value is not None:
            data[key] = round(float(value), 3) if key == "confidence" else [str(one) for one in value]
    return data
