"""Two people: they turn to each other, and their eyes meet."""

from __future__ import annotations

import math

import bpy
import cast
import numpy as np
import pytest
import standin
from mathutils import Euler, Matrix, Vector

from a2p_core.errors import UserError
from blender_addon.host import pair, takes


@pytest.fixture
def people(addon):
    a, _ = standin.character("Ada")
    b, _ = standin.character("Ben")
    b.matrix_world = Matrix.LocRotScale(Vector((1.5, 0.7, 0)), Euler((0, 0, 2.1)), Vector((1.1, 1.1, 1.1)))
    bpy.context.view_layer.update()
    return a, b


def front(thing) -> Vector:
    return (thing.matrix_world.to_3x3() @ Vector((0, -1, 0))).normalized()


def test_they_face_each_other_where_they_stand(people):
    a, b = people
    places = a.matrix_world.translation.copy(), b.matrix_world.translation.copy()
    stood = pair.face_each_other(a, b)
    way = (places[1] - places[0]).normalized()
    assert front(a).angle(way) < 1e-3 and front(b).angle(-way) < 1e-3
    assert (a.matrix_world.translation, b.matrix_world.translation) == places
    assert b.matrix_world.to_scale() == Vector((1.1, 1.1, 1.1)) or b.matrix_world.to_scale().x == pytest.approx(1.1)
    for thing, place in stood:
        thing.matrix_world = place
    assert front(b).angle(Vector((math.sin(2.1), -math.cos(2.1), 0))) < 1e-3


def test_what_cannot_be_turned_is_refused(people):
    a, b = people
    b.matrix_world.translation = (0.1, 0, 0)
    bpy.context.view_layer.update()
    with pytest.raises(UserError, match="one spot"):
        pair.face_each_other(a, b)
    b.matrix_world.translation = (1.5, 0, 0)
    bpy.context.view_layer.update()
    b.keyframe_insert("rotation_euler", frame=1)
    before = a.matrix_world.copy()
    with pytest.raises(UserError, match="animated"):
        pair.face_each_other(a, b)
    assert a.matrix_world == before


def test_their_eyes_are_on_each_other(people, tmp_path):
    a, b = people
    b.matrix_world = Matrix.Translation((0.0, -1.5, 0.8))  # in front, and higher
    bpy.context.view_layer.update()
    take = cast.keep(a, tmp_path)
    before = takes.clip_of(take)
    pair.look_at(a, [take], b)
    after = takes.clip_of(take)
    up = [i for i, name in enumerate(after.face_names) if name.startswith("eyeLookUp")]
    down = [i for i, name in enumerate(after.face_names) if name.startswith("eyeLookDown")]
    assert after.face_weights[:, up].mean() > after.face_weights[:, down].mean() + 0.2
    assert np.array_equal(before.joint_quats, after.joint_quats)
