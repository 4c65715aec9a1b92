"""A look for what has none: three lamps and a dim world round a character, and skin, hair and cloth for the performer.

A character of one's own is captured under its file's lamps and materials, as they are.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

#: name, place (m), size (m), power (W), colour
_LAMPS = (
    ("A2P key", (1.5, -2.2, 2.6), 1.2, 110.0, (1.0, 0.94, 0.86)),
    ("A2P fill", (-2.4, -1.6, 1.7), 2.0, 36.0, (0.84, 0.91, 1.0)),
    ("A2P rim", (-0.9, 2.2, 2.7), 1.0, 80.0, (1.0, 0.97, 0.94)),
)
WORLD = "A2P studio"  #: the name of our world
_WORLD = (0.20, 0.215, 0.24)

#: material of the performer → inputs of its shader; `bump` and `speckle`: (scale, strength) of a noise in rest space
_LOOK: dict[str, dict] = {
    "skin": {"Subsurface Weight": 0.25, "Roughness": 0.46, "bump": (420.0, 0.10), "speckle": (28.0, 0.22)},
    "lips": {"Subsurface Weight": 0.30, "Roughness": 0.34, "bump": (260.0, 0.12), "speckle": (60.0, 0.15)},
    "tongue": {"Subsurface Weight": 0.30, "Roughness": 0.35},
    "sclera": {"Coat Weight": 1.0, "Coat Roughness": 0.03},
    "iris": {"Coat Weight": 1.0, "Coat Roughness": 0.03, "speckle": (160.0, 0.5)},
    "pupil": {"Coat Weight": 1.0, "Coat Roughness": 0.03},
    "hair": {"Roughness": 0.4, "bump": (90.0, 0.5), "speckle": (70.0, 0.5)},
    "shirt": {"Sheen Weight": 0.25, "bump": (330.0, 0.22), "speckle": (14.0, 0.25)},
    "trousers": {"Sheen Weight": 0.2, "bump": (300.0, 0.22), "speckle": (14.0, 0.25)},
}
_RADIUS = (0.010, 0.0038, 0.0019)  #: how far light goes in skin, metres


def light(scene: bpy.types.Scene, space: np.ndarray) -> None:
    """Lamps and a world about the origin of `space` [4, 4] (see space.py)."""
    scale = float(np.cbrt(abs(np.linalg.det(space[:3, :3]))))
    aim = Vector((space @ [0.0, 0.0, 1.35, 1.0])[:3])
    for name, place, size, power, colour in _LAMPS:
        data = bpy.data.lights.new(name, "AREA")
        data.energy, data.size, data.color = power * scale**2, size * scale, colour
        lamp = bpy.data.objects.new(name, data)
        scene.collection.objects.link(lamp)
        at = Vector((space @ [*place, 1.0])[:3])
        lamp.matrix_world = Matrix.LocRotScale(at, (aim - at).to_track_quat("-Z", "Y"), None)
    world = scene.world = bpy.data.worlds.new(WORLD)
    world.color = _WORLD
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (*_WORLD, 1.0)


def is_lit(scene: bpy.types.Scene) -> bool:
    """Whether the scene has a lamp of its own."""
    return any(thing.type == "LIGHT" for thing in scene.objects)


def lamps(scene: bpy.types.Scene, space: np.ndarray, most: int = 4) -> list[dict]:
    """The scene's lamps as a capture names them, the strongest first: place [3] and size in `space` [4, 4], metres."""
    back, found = np.linalg.inv(space), []
    scale = float(np.cbrt(abs(np.linalg.det(space[:3, :3]))))
    for thing in scene.objects:
        if thing.type != "LIGHT" or thing.hide_render:
            continue
        data, matrix = thing.data, np.array(thing.matrix_world, dtype=np.float64)
        if data.type == "SUN":
            way = (back @ np.append(matrix[:3, 2], 0.0))[:3]
            place, size, power = 100.0 * way / np.linalg.norm(way), 100.0 * data.angle, 4 * np.pi * 1e4 * data.energy
        else:
            place = (back @ matrix[:, 3])[:3]
            size = (data.size if data.type == "AREA" else 2 * data.shadow_soft_size) / scale
            power = data.energy / scale**2
        far = float(np.sum((place - [0.0, 0.0, 1.3]) ** 2))
        found.append((power / max(far, 1e-6), {"place": place.round(4).tolist(), "size": round(float(size), 4)}))
    return [lamp for _, lamp in sorted(found, key=lambda one: -one[0])[:most]]


def dress(meshes: list[bpy.types.Object]) -> None:
    """Skin, hair and cloth on the performer's materials, which are plain colours."""
    for material in {slot.material for mesh in meshes for slot in mesh.material_slots} - {None}:
        look = _LOOK.get(material.name.split(".")[1] if "." in material.name else "", {})
        shader = next((n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED"), None)
        if shader is None or not look:
            continue
        for name, value in look.items():
            if name in shader.inputs:
                shader.inputs[name].default_value = value
        if "Subsurface Weight" in look:
            shader.inputs["Subsurface Radius"].default_value = (1.0, _RADIUS[1] / _RADIUS[0], _RADIUS[2] / _RADIUS[0])
            shader.inputs["Subsurface Scale"].default_value = _RADIUS[0]
        roughen(material.node_tree, shader, look)


def roughen(tree: bpy.types.NodeTree, shader: bpy.types.Node, look: dict) -> None:
    """Noise in rest space on a shader: `bump` and `speckle` of a look."""
    links, place = tree.links, tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    if "bump" in look:
        scale, strength = look["bump"]
        bump = tree.nodes.new("ShaderNodeBump")
        bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, 0.002
        links.new(_noise(tree, place, scale), bump.inputs["Height"])
        links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    if "speckle" in look:
        scale, strength = look["speckle"]
        mix = tree.nodes.new("ShaderNodeMix")
        mix.data_type, mix.blend_type = "RGBA", "OVERLAY"
        mix.inputs["Factor"].default_value = strength
        colours = [socket for socket in mix.inputs if socket.type == "RGBA"]
        colours[0].default_value = shader.inputs["Base Color"].default_value
        links.new(_noise(tree, place, scale), colours[1])
        links.new(next(s for s in mix.outputs if s.type == "RGBA"), shader.inputs["Base Color"])


def _noise(tree: bpy.types.NodeTree, place: bpy.types.NodeSocket, scale: float) -> bpy.types.NodeSocket:
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 3.0
    tree.links.new(place, noise.inputs["Vector"])
    return noise.outputs[0]
