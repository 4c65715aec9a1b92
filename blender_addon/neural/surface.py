"""A character's meshes as one: posed vertices, triangles, and UVs in which no two places share a texel."""

from __future__ import annotations

from itertools import pairwise

import bpy
import numpy as np

from ..core import core

UserError = core("errors").UserError
UV_NAME = "A2P avatar"


def topology(meshes: list[bpy.types.Object]) -> tuple[np.ndarray, np.ndarray]:
    """Triangles [F, 3] of all meshes, evaluated, joined in order, and the UVs of their corners [F, 3, 2].

    Every mesh gets a cell of its own in the unit square, the one with shape keys the largest. Raises `UserError`.
    """
    faces, uvs, first = [], [], 0
    cells = _cells(meshes)
    for mesh, (x, y, width, height) in zip(meshes, cells):
        data, done = _evaluated(mesh)
        try:
            layer = data.uv_layers.get(UV_NAME) or data.uv_layers.active
            if layer is None:
                raise UserError(f"The mesh '{mesh.name}' has no UVs. Unwrap it, or let A2P do it with --unwrap.")
            corners = np.empty(len(data.loops), np.int32)
            data.loops.foreach_get("vertex_index", corners)
            loops = _fans(data)
            flat = np.empty(2 * len(data.loops), np.float32)
            layer.uv.foreach_get("vector", flat)
            faces.append(corners[loops] + first)
            own = flat.reshape(-1, 2)[loops]
            uvs.append(own * (width, height) + (x, y))
            first += len(data.vertices)
        finally:
            done()
    return np.concatenate(faces).astype(np.int32), np.concatenate(uvs).astype(np.float32)


def vertices(meshes: list[bpy.types.Object], space: np.ndarray) -> np.ndarray:
    """[V, 3] float32: every vertex as it is now, evaluated, in `space` [4, 4] (see space.py)."""
    found, back = [], np.linalg.inv(space)
    for mesh in meshes:
        data, done = _evaluated(mesh)
        try:
            flat = np.empty(3 * len(data.vertices), np.float32)
            data.vertices.foreach_get("co", flat)
            matrix = back @ np.array(mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world)
            found.append(flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
        finally:
            done()
    return np.concatenate(found).astype(np.float32)


def unwrap(meshes: list[bpy.types.Object]) -> None:
    """Give every mesh a UV map of its own making (Smart UV Project), beside those it has."""
    layer = bpy.context.view_layer
    for mesh in meshes:
        if mesh.data.uv_layers.get(UV_NAME) is None and mesh.data.uv_layers.new(name=UV_NAME) is None:
            raise UserError(f"The mesh '{mesh.name}' has eight UV maps already. Remove one.")
        mesh.data.uv_layers.active = mesh.data.uv_layers[UV_NAME]
        for other in bpy.context.selected_objects:
            other.select_set(False)
        layer.objects.active = mesh
        mesh.select_set(True)
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.mesh.select_all(action="SELECT")
        bpy.ops.uv.smart_project(angle_limit=1.3, island_margin=0.002)
        bpy.ops.object.mode_set(mode="OBJECT")


def _fans(data: bpy.types.Mesh) -> np.ndarray:
    """Loops of triangles [F, 3]: fans, because Blender's own triangles depend on how the mesh is posed."""
    starts, totals = np.empty((2, len(data.polygons)), np.int32)
    data.polygons.foreach_get("loop_start", starts)
    data.polygons.foreach_get("loop_total", totals)
    which = np.repeat(np.arange(len(totals)), totals - 2)
    step = np.arange(len(which)) - np.repeat(np.cumsum(totals - 2) - (totals - 2), totals - 2)
    first = starts[which]
    return np.stack([first, first + step + 1, first + step + 2], axis=1)


def _cells(meshes: list[bpy.types.Object]) -> list[tuple[float, float, float, float]]:
    """x, y, width, height of each mesh's cell: columns, as wide as the meshes are important."""
    if len(meshes) == 1:
        return [(0.0, 0.0, 1.0, 1.0)]
    weights = np.array([_importance(mesh) for mesh in meshes])
    edges = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])
    return [(float(a), 0.0, float(b - a), 1.0) for a, b in pairwise(edges)]


def _importance(mesh: bpy.types.Object) -> float:
    size = float(sum(polygon.area for polygon in mesh.data.polygons)) ** 0.5
    return size * (4.0 if mesh.data.shape_keys is not None else 1.0)


def _evaluated(mesh: bpy.types.Object):
    """The mesh as modifiers and keys leave it, and a function to call when it is no more needed."""
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return evaluated.to_mesh(), evaluated.to_mesh_clear
