"""What a performance was made with: noted on the character, shown beside export, told by it."""

from __future__ import annotations

import json
from dataclasses import replace

import bpy
import cast

from blender_addon.commands import outputs
from blender_addon.host import bake, weights

METAS = {"model": "audio2photoreal PXB184", "licence": "CC-BY-NC-4.0", "non_commercial": True}
OURS = {"model": "base", "licence": "GPL-3.0-or-later"}
SENTENCE = "Made with PXB184 (non-commercial weights of Meta)"


def put(armature, face, meta, **parts) -> None:
    made = cast.clip()
    bake.bake(replace(made, meta={**made.meta, **meta}, **parts), armature, [face] if made.has_face else [])


def test_a_take_tells_what_it_was_made_with(hero, tmp_path):
    armature, face = hero
    assert weights.of_character(armature, [face]) == weights.of_take(armature) == []
    made = cast.clip()
    path = replace(made, meta={**made.meta, **METAS}).save(tmp_path / "a.npz")
    bpy.ops.a2p.open_clip(filepath=str(path))
    assert weights.sentences(weights.of_take(armature)) == [SENTENCE]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    armature, face = bpy.data.objects["Hero"], bpy.data.objects["Hero face"]
    assert weights.of_character(armature, [face]) == [METAS]


def test_a_face_over_a_body_of_another_model_tells_of_both(hero):
    armature, face = hero
    put(armature, face, OURS)
    made = cast.clip()
    alone = replace(made, joint_quats=made.joint_quats[:, :0], joint_names=(), joint_parents=(), meta=METAS)
    alone = replace(alone, rest_offsets=made.rest_offsets[:0], guide_quats=made.guide_quats[:, :0])
    bake.bake(alone, armature, [face])
    assert weights.sentences(weights.of_character(armature, [face])) == [SENTENCE, "Made with base (GPL-3.0-or-later)"]


def test_export_tells_it(hero, tmp_path, capsys):
    armature, face = hero
    put(armature, face, METAS)
    bpy.context.scene.frame_end = 5
    assert bpy.ops.a2p.export(filepath=str(tmp_path / "a.fbx"), preset="fbx", use_sound=False) == {"FINISHED"}
    assert SENTENCE in capsys.readouterr().out
    parser = __import__("argparse").ArgumentParser()
    outputs.add(parser)
    told: dict = {}
    outputs.export(parser.parse_args([]), told, str(tmp_path / "b.csv"), "b")
    said = capsys.readouterr().out
    assert told["made_with"] == [SENTENCE]
    assert said.index(SENTENCE) < said.index("wrote")


def test_the_chosen_models_licence_is_known(addon, tmp_path, monkeypatch):
    assert weights.of_model("base")["licence"] == "GPL-3.0-or-later" and weights.of_model("nosuch") == {}
    folder = tmp_path / "px"
    folder.mkdir()
    told = {"name": METAS["model"], "licence": METAS["licence"], "non_commercial": True, "kind": "audio2photoreal"}
    (folder / "model.json").write_text(json.dumps({**told, "networks": {}, "statistics": {}}))
    monkeypatch.setenv("A2P_MODELS", str(tmp_path))
    assert weights.sentences([weights.of_model(METAS["model"])]) == [SENTENCE]
