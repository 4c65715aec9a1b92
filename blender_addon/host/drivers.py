"""Driven shape keys: what a simple driver reads is keyed in place of the shape key, which the driver then moves."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

_INDEX = re.compile(r"^(.*)(?:\[(\d+)\]|\.([xyzw]))$")
_TRANSFORMS = {"LOC": "location", "ROT": "rotation_euler", "SCALE": "scale"}


@dataclass(frozen=True)
class Input:
    """The property that a driver reads, and how: shape key = gain · property + offset."""

    owner: bpy.types.ID
    path: str
    index: int
    gain: float
    offset: float

    @property
    def channel(self) -> tuple[int, str, int]:
        return self.owner.as_pointer(), self.path, self.index


def drivers_of(key: bpy.types.Key) -> dict[str, bpy.types.FCurve]:
    """Data path -> the driver that sets it; muted drivers set nothing."""
    data = key.animation_data
    return {curve.data_path: curve for curve in data.drivers if not curve.mute} if data is not None else {}


def input_of(curve: bpy.types.FCurve) -> Input | None:
    """What a driver reads, when that is one property in a linear expression that can be keyed; else None."""
    driver = curve.driver
    if len(driver.variables) != 1:
        return None
    variable = driver.variables[0]
    read = _channel(variable)
    terms = _linear(driver.expression, variable.name) if driver.type == "SCRIPTED" else (1.0, 0.0)
    mapping = _mapping(curve)
    if read is None or terms is None or mapping is None:
        return None
    gain, offset = terms[0] * mapping[0], terms[1] * mapping[0] + mapping[1]
    owner, path, index = read
    if abs(gain) < 1e-6 or not _can_be_keyed(owner, path, index):
        return None
    return Input(owner, path, index, gain, offset)


def solve(wanted: Sequence[tuple[Input, np.ndarray]]) -> np.ndarray:
    """The values [T] of one property that bring all the shape keys it drives nearest to their wanted values [T]."""
    gains = np.array([one.gain for one, _ in wanted])
    targets = np.stack([values - one.offset for one, values in wanted])
    return gains @ targets / (gains @ gains)


def _channel(variable: bpy.types.DriverVariable) -> tuple[bpy.types.ID, str, int] | None:
    target = variable.targets[0]
    if target.id is None:
        return None
    if variable.type == "SINGLE_PROP":
        found = _INDEX.match(target.data_path)
        if found is None:
            return target.id, target.data_path, -1
        path, number, letter = found.groups()
        return target.id, path, int(number) if number else "xyzw".index(letter)
    if variable.type == "TRANSFORMS" and target.bone_target and target.transform_space == "LOCAL_SPACE":
        kind, _, axis = target.transform_type.partition("_")
        bone = target.id.pose.bones.get(target.bone_target) if target.id.type == "ARMATURE" else None
        if bone is None or kind not in _TRANSFORMS or axis not in ("X", "Y", "Z") or bone.constraints:
            return None
        if kind == "ROT" and bone.rotation_mode not in ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"):
            return None
        return target.id, bone.path_from_id(_TRANSFORMS[kind]), "XYZ".index(axis)
    return None


def _can_be_keyed(owner: bpy.types.ID, path: str, index: int) -> bool:
    if owner.library is not None:
        return False
    try:
        value = owner.path_resolve(path)
        value = value[index] if index >= 0 else value
    except (ValueError, IndexError, TypeError):
        return False
    data = owner.animation_data
    driven = data is not None and any(
        curve.data_path == path and curve.array_index == max(index, 0) and not curve.mute for curve in data.drivers
    )
    return isinstance(value, float) and not driven


def _linear(expression: str, name: str) -> tuple[float, float] | None:
    """(a, b) of an expression that is a · name + b; None for anything else."""

    def walk(node: ast.AST) -> tuple[float, float] | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return 0.0, float(node.value)
        if isinstance(node, ast.Name) and node.id == name:
            return 1.0, 0.0
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            one = walk(node.operand)
            sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
            return one and (sign * one[0], sign * one[1])
        if not isinstance(node, ast.BinOp):
            return None
        a, b = walk(node.left), walk(node.right)
        if a is None or b is None:
            return None
        if isinstance(node.op, ast.Add):
            return a[0] + b[0], a[1] + b[1]
        if isinstance(node.op, ast.Sub):
            return a[0] - b[0], a[1] - b[1]
        if isinstance(node.op, ast.Mult) and (a[0] == 0 or b[0] == 0):
            return a[0] * b[1] + b[0] * a[1], a[1] * b[1]
        if isinstance(node.op, ast.Div) and b[0] == 0 and b[1] != 0:
            return a[0] / b[1], a[1] / b[1]
        return None

    try:
        return walk(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        return None


def _mapping(curve: bpy.types.FCurve) -> tuple[float, float] | None:
    """(a, b) when the driver's own curve is the line a · x + b where it matters; None when it bends."""
    points = curve.keyframe_points
    if not points and not curve.modifiers:
        return 1.0, 0.0
    first, last = (points[0].co.x, points[-1].co.x) if len(points) > 1 else (0.0, 1.0)
    x = np.linspace(first, last, 9)
    y = np.array([curve.evaluate(float(at)) for at in x])
    slope, level = np.polyfit(x, y, 1)
    return (float(slope), float(level)) if np.abs(slope * x + level - y).max() < 1e-3 else None
