"""What goes wrong in a studio: undo meanwhile, things that are gone, odd rates and ranges. No traceback, no harm."""

from __future__ import annotations

import json
import signal
import sys

import bpy
import cast
import inventory
import numpy as np
import pytest
import standin

from a2p_core import version
from blender_addon.host import actions, bake_choices, jobs, takes, worker
from blender_addon.ops import base


def order(armature, face, clip, **changes) -> str:
    """What a job that has just ended asks to be kept."""
    told = {
        "scene": bpy.context.scene.session_uid,
        "armature": armature.session_uid,
        "faces": [face.session_uid],
        "frame": 1,
        "choices": bake_choices.of_panel(bpy.context.scene.a2p),
        "request": {},
        "own_folder": True,
        "clips": [str(clip)],
    }
    return json.dumps([told | changes])


def refused(text: str, match: str) -> None:
    before = inventory.file()
    with pytest.raises(RuntimeError, match=match) as caught:
        bpy.ops.a2p.keep_takes(order=text)
    assert "Traceback" not in str(caught.value) and "Unexpected" not in str(caught.value)
    assert inventory.differences(before, inventory.file()) == []


def test_undo_while_a_job_runs(hero, tmp_path):
    armature, face = hero
    bpy.ops.ed.undo_push(message="first")
    clip = cast.clip().save(tmp_path / "a.npz")
    asked = order(armature, face, clip)
    armature.location.x = 3
    bpy.ops.ed.undo_push(message="moved")
    bpy.ops.ed.undo()
    assert bpy.ops.a2p.keep_takes(order=asked) == {"FINISHED"}
    armature = bpy.data.objects["Hero"]
    assert armature.location.x == 0 and armature.a2p.playing == 1


def test_undo_that_takes_the_character_away(addon, tmp_path):
    bpy.ops.ed.undo_push(message="empty")
    armature, face = standin.character()
    bpy.ops.ed.undo_push(message="character")
    asked = order(armature, face, cast.clip().save(tmp_path / "a.npz"))
    bpy.ops.ed.undo()
    assert "Hero" not in bpy.data.objects
    refused(asked, "deleted meanwhile")
    assert (tmp_path / "a.npz").is_file()


def test_renamed_meanwhile_is_found(hero, tmp_path):
    asked = order(*hero, cast.clip().save(tmp_path / "a.npz"))
    hero[0].name, hero[1].name = "Other", "Other face"
    bpy.ops.a2p.keep_takes(order=asked)
    assert hero[0].animation_data.action.name == "A2P Other take 1"


def test_the_scene_is_gone(hero, tmp_path):
    bpy.context.scene.frame_set(2)
    refused(order(*hero, cast.clip().save(tmp_path / "a.npz"), scene=987654321), "scene was deleted")


def test_the_clip_is_gone(hero, tmp_path):
    bpy.context.scene.frame_set(2)
    refused(order(*hero, tmp_path / "a.npz"), "cannot be read")


def test_a_character_that_is_not_in_the_scene_is_refused_before_anything_is_generated(hero, tmp_path):
    settings = bpy.context.scene.a2p
    settings.voice_source, settings.voice_file = "FILE", str(standin.voice(tmp_path / "line.wav"))
    for thing in hero:
        bpy.context.scene.collection.objects.unlink(thing)
    with pytest.raises(RuntimeError, match="not in this scene"):
        bpy.ops.a2p.generate()
    assert jobs.running() is None


def test_a_linked_character_is_refused_before_anything_is_generated(hero, tmp_path):
    bpy.data.libraries.write(str(tmp_path / "cast.blend"), set(hero))
    for thing in hero:
        bpy.data.objects.remove(thing)
    with bpy.data.libraries.load(str(tmp_path / "cast.blend"), link=True) as (there, here):
        here.objects = there.objects
    for thing in here.objects:
        bpy.context.scene.collection.objects.link(thing)
    settings = bpy.context.scene.a2p
    settings.armature = next(thing for thing in here.objects if thing.type == "ARMATURE")
    settings.voice_source, settings.voice_file = "FILE", str(standin.voice(tmp_path / "line.wav"))
    with pytest.raises(RuntimeError, match="linked"):
        bpy.ops.a2p.generate()
    assert jobs.running() is None


def test_the_strips_file_is_gone(hero, tmp_path):
    settings = bpy.context.scene.a2p
    settings.voice_source, settings.voice_file = "FILE", str(tmp_path / "gone.wav")
    with pytest.raises(RuntimeError, match="no sound file"):
        bpy.ops.a2p.generate()


@pytest.mark.parametrize(("fps", "base_"), [(24, 1.0), (60, 1.001), (30, 1.0)])
@pytest.mark.parametrize("start", [-50, 1])
def test_rates_and_ranges(hero, tmp_path, fps, base_, start):
    armature, face = hero
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base, scene.frame_start = fps, base_, 0
    bpy.ops.a2p.keep_takes(order=order(armature, face, cast.clip().save(tmp_path / "a.npz"), frame=start))
    points = cast.keys(armature)
    first, last = (min(p[0, 0] for p in points.values()), max(p[-1, 0] for p in points.values()))
    assert first == start and last == start + round(2 * fps / base_) - 1
    scene.frame_set(start + 5)
    bpy.context.window_manager.a2p.jaw = 0.5
    assert bpy.ops.a2p.settle_sliders() == {"FINISHED"}
    bpy.ops.a2p.guide_step(step=1)
    assert scene.frame_current_final == pytest.approx(start + fps / base_, abs=1e-3)
    bpy.ops.a2p.guide_pin()
    assert bpy.ops.a2p.fill_again.poll()


def test_a_failure_half_way_forgets_every_take(hero, tmp_path, monkeypatch):
    """The second of two takes cannot be baked: neither is kept, the clips are."""
    armature, face = hero
    clips = [str(cast.clip(shift=i).save(tmp_path / f"{i}.npz")) for i in range(2)]
    (tmp_path / "1.npz").write_bytes(b"damaged")
    bpy.context.scene.frame_set(2)
    refused(order(armature, face, "", clips=clips), "no A2P motion clip")
    assert not len(armature.a2p.takes) and not bpy.data.actions
    assert (tmp_path / "0.npz").is_file()


def test_the_mesh_of_a_take_is_gone(hero, tmp_path):
    armature, face = hero
    for shift in range(2):
        cast.keep(armature, tmp_path, shift)
    bpy.data.objects.remove(face)
    bpy.ops.a2p.use_take(uid=1)  # what is left of the character plays it
    assert armature.a2p.playing == 1
    assert np.isfinite(cast.heads(armature, 30)).all()
    bpy.context.window_manager.a2p.jaw = 0.5
    bpy.ops.a2p.settle_sliders()
    bpy.ops.a2p.delete_take(uid=2)
    assert [take.uid for take in armature.a2p.takes] == [1]


def test_somebody_elses_action_on_the_character(hero, tmp_path):
    armature, _face = hero
    cast.keep(armature, tmp_path)
    armature.animation_data.action = bpy.data.actions.new("Mine")
    bpy.context.window_manager.a2p.jaw = 0.5  # nothing of ours plays on the bones: nothing is dragged there
    assert not list(actions.curves_of(armature))
    bpy.ops.a2p.settle_sliders()
    assert takes.playing(armature).sliders and "Mine" in bpy.data.actions


def a_python(path, does: str) -> str:
    """A worker's Python that says hello and then does something of a shell's."""
    hello = {"event": "hello", "protocol": version.PROTOCOL, "version": version.VERSION, "python": "3.11", "pid": 1}
    path.write_text(f"#!/bin/sh\necho '{json.dumps(hello)}'\n{does}\n")
    path.chmod(0o755)
    return str(path)


def generating(tmp_path) -> None:
    settings = bpy.context.scene.a2p
    settings.voice_source, settings.voice_file = "FILE", str(standin.voice(tmp_path / "line.wav"))
    bpy.ops.a2p.generate()


@pytest.mark.parametrize(
    ("does", "said"),
    [("kill -9 $$", "killed"), (f"exec {sys.executable} -S -I $A2P_TEST_WORKER", "Install them with")],
    ids=["killed", "no torch"],
)
def test_a_worker_that_cannot_go_on(hero, tmp_path, monkeypatch, does, said):
    """Killed in the middle, or without PyTorch: one sentence, nothing changed, no process left."""
    core = standin.ROOT / "a2p_core"
    (tmp_path / "boot.py").write_text(f"import sys\nsys.argv = ['-c', {str(core)!r}]\n" + worker._BOOTSTRAP)
    monkeypatch.setenv("A2P_TEST_WORKER", str(tmp_path / "boot.py"))
    monkeypatch.setenv("A2P_PYTHON", a_python(tmp_path / "python", does))
    bpy.context.scene.frame_set(2)
    bpy.context.scene.a2p.voice_source = "FILE"
    bpy.context.scene.a2p.voice_file = str(standin.voice(tmp_path / "line.wav"))
    before = inventory.file()
    with pytest.raises(RuntimeError, match=said) as caught:
        generating(tmp_path)
    assert "Traceback" not in str(caught.value)
    assert inventory.differences(before, inventory.file()) == [] and jobs.running() is None
    assert said in base.last_failure["message"] and bpy.ops.a2p.copy_details.poll()
    base.last_failure.clear()
    worker.stop()


def test_another_file_is_opened_while_generating(hero, tmp_path, monkeypatch):
    monkeypatch.setenv("A2P_PYTHON", a_python(tmp_path / "python", "exec sleep 60"))
    job, waits = jobs.Job("generate").start(), jobs.Job("generate").start()
    process = worker.get()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert (job.state, waits.state) == ("cancelled", "cancelled") and not jobs.running() and not jobs.waiting()
    assert not process.alive


def test_the_strip_is_gone_when_the_take_comes(hero, tmp_path):
    """Whatever became of the sound: the take is kept where its voice was."""
    asked = order(*hero, cast.clip().save(tmp_path / "a.npz"), frame=31)
    bpy.context.scene.sequence_editor_clear()
    assert bpy.ops.a2p.keep_takes(order=asked) == {"FINISHED"}
    assert min(points[0, 0] for points in cast.keys(hero[0]).values()) == 31


def test_a_collection_that_was_taken_from_the_view_layer(hero, tmp_path):
    """Its objects are in the scene and are keyed; what does not move is told of."""
    collection = bpy.data.collections.new("Cast")
    bpy.context.scene.collection.children.link(collection)
    for thing in hero:
        bpy.context.scene.collection.objects.unlink(thing)
        collection.objects.link(thing)
    asked = order(*hero, cast.clip().save(tmp_path / "a.npz"))
    bpy.context.view_layer.layer_collection.children["Cast"].exclude = True
    assert bpy.ops.a2p.keep_takes(order=asked) == {"FINISHED"}
    bpy.context.scene.collection.children.unlink(collection)
    bpy.context.scene.frame_set(2)
    refused(asked, "deleted meanwhile")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_full_disk_leaves_no_half_a_file(hero, tmp_path):
    """The system takes no file over 2 kB: the export says so, and what was there before stays."""
    import resource

    cast.keep(hero[0], tmp_path)
    bpy.context.scene.frame_end = 20
    for name, preset in (("a.fbx", "fbx"), ("a.csv", "csv")):
        (tmp_path / name).write_text("what was there before")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
        try:
            with pytest.raises(RuntimeError) as caught:
                bpy.ops.a2p.export(filepath=str(tmp_path / name), preset=preset, use_sound=False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert "Traceback" not in str(caught.value) and (tmp_path / name).read_text() == "what was there before"
        assert sorted(path.name for path in tmp_path.glob("*a.*")) in (["a.fbx"], ["a.csv", "a.fbx"])


def test_what_went_wrong_can_be_copied(addon):
    assert not bpy.ops.a2p.copy_details.poll()
    base.last_failure.update(message="The worker was killed.", detail="Traceback …")
    try:
        assert bpy.ops.a2p.copy_details.poll()
    finally:
        base.last_failure.clear()
