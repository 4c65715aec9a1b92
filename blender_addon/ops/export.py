"""Export: the character with its performance as a file for an engine."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, StringProperty

from ..core import core
from ..host import weights
from ..host.targets import chosen, meshes_of, whole
from .base import SafeOperator

UserError = core("errors").UserError
_NAMES = {
    "unreal": "Unreal Engine",
    "unity": "Unity",
    "godot": "Godot",
    "fbx": "FBX",
    "glb": "glTF 2.0",
    "usd": "USD",
    "bvh": "BVH",
    "csv": "Live Link Face",
}


def _presets(_self: object, _context: bpy.types.Context) -> list[tuple[str, str, str]]:
    if not _ITEMS:
        found = core("export.presets").PRESETS.values()
        _ITEMS.extend((preset.name, _NAMES[preset.name], preset.title) for preset in found)
    return _ITEMS


_ITEMS: list[tuple[str, str, str]] = []  # Blender does not keep what an enumeration's function returns


class A2P_OT_export(SafeOperator):
    """Write the character and its performance to a file for an engine, frame by frame as it plays"""

    bl_idname = "a2p.export"
    bl_label = "Export"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.fbx;*.glb;*.usd;*.bvh;*.csv", options={"HIDDEN"})
    preset: EnumProperty(name="For", description="What the file is for", items=_presets)
    use_mesh: BoolProperty(name="Meshes", description="With the meshes, or the animation alone", default=True)
    root: EnumProperty(
        name="Way",
        description="Who carries the way over the ground",
        items=(
            ("keep", "As Animated", "As it is on the rig"),
            ("in-place", "In Place", "Nobody: the character stays where it starts"),
            ("root", "Root Motion", "The root bone, for engines that move the character by it"),
        ),
    )
    face: EnumProperty(
        name="Face Curves",
        description="What the curves of the face are called",
        items=(
            ("preset", "The Engine's", "As the preset says"),
            ("keep", "As on the Mesh", "The names of the shape keys"),
            ("arkit", "ARKit", "eyeBlinkLeft"),
            ("livelink", "Live Link", "EyeBlinkLeft"),
            ("metahuman", "MetaHuman", "CTRL_expressions_eyeBlinkL, beside the mesh's own"),
        ),
    )
    fps: FloatProperty(name="Frame Rate", description="Frames a second; 0 is the scene's", min=0, max=240)
    start_at_zero: BoolProperty(name="Start at Zero", description="The first frame is frame 0", default=True)
    use_sound: BoolProperty(name="Sound", description="Lay the voice beside the file", default=True)
    target: StringProperty(
        name="Target Bones",
        description="A list of bones or an FBX from the engine; what would break there is told",
        subtype="FILE_PATH",
    )

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            self.filepath = bpy.path.display_name_from_filepath(bpy.data.filepath) or "a2p"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        for text in weights.sentences(weights.of_character(*whole(context)), bpy.app.translations.pgettext_iface):
            layout.label(text=text, icon="INFO", translate=False)
        for name in ("preset", "use_mesh", "root", "face", "fps", "start_at_zero", "use_sound", "target"):
            layout.prop(self, name)

    def run(self, context: bpy.types.Context) -> None:
        from ..host import engine  # numpy: not while Blender starts

        if not self.filepath.strip():
            raise UserError("No file is named. Say where the file goes.")
        armature, faces = chosen(context)
        meshes = meshes_of(armature) if armature is not None else []
        meshes += [face for face in faces if face not in meshes]
        options = engine.ExportOptions(
            mesh=self.use_mesh,
            face="" if self.face == "preset" else self.face,
            root=self.root,
            fps=self.fps,
            zero=self.start_at_zero,
            sound=self.use_sound,
            target=Path(bpy.path.abspath(self.target)) if self.target.strip() else None,
        )
        path = bpy.path.abspath(self.filepath)
        made_with = weights.sentences(weights.of_character(armature, meshes))
        made = engine.export(context, path, armature, meshes, self.preset, options)
        told = " ".join([*made.troubles, *made.warnings])
        files = " and ".join(file.name for file in made.files)
        what = f"Wrote {files}: {made.bones} bones, {made.curves} face curves, {made.frames} frames."
        what += "".join(f" {sentence}." for sentence in made_with)
        self.report({"WARNING"} if told else {"INFO"}, f"{what} {told}".strip())


classes = (A2P_OT_export,)
