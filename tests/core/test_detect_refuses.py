"""What detection refuses, each in one sentence: two characters, no person, no spine, broken bones."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import canonical, nameless, rig

from a2p_core.errors import UserError
from a2p_core.retarget import body_maps, detect
from a2p_core.skeleton.humanoid import HUMANOID


def beside(names: list[str], parents: list[int], heads: np.ndarray, rename, common: bool):
    """The rig twice, the second one a step to the side; under a common root, or each under its own."""
    count = len(names)
    step = np.array([1.6 * np.ptp(heads[:, 0]), 0, 0])
    both = [*names, *(rename(name) for name in names)]
    up = [*parents, *(parent + count if parent >= 0 else -1 for parent in parents)]
    places = np.concatenate([heads, heads + step])
    if common:
        both.append("Stage")
        up = [parent if parent >= 0 else 2 * count for parent in up] + [-1]
        places = np.concatenate([places, np.zeros((1, 3))])
    return both, up, places


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_two_characters_in_one_armature(common, known):
    names, parents, heads = rig("m2m_human-sintel")
    names = names if known else nameless(len(names))
    both, up, places = beside(names, parents, heads, lambda name: name + ".001", common)
    with pytest.raises(UserError, match="two characters") as caught:
        detect(both, up, heads=places)
    assert repr(names[0]) in str(caught.value) and repr(names[0] + ".001") in str(caught.value)


def test_layers_of_one_rig_are_one_character():
    names, parents, heads = rig("rigify_metarig")
    both, up, places = beside(names, parents, heads, lambda name: "ORG-" + name, False)
    places = np.concatenate([heads, heads])
    assert detect(both, up, heads=places).map.family == "rigify_metarig"


def quadruped() -> tuple[list[int], np.ndarray]:
    """A dog: four legs under a level trunk, a head and a tail."""
    parents, heads = [-1], [[0, 0.3, 0.6]]

    def chain(parent: int, *points) -> int:
        for point in points:
            parents.append(parent)
            heads.append(list(point))
            parent = len(parents) - 1
        return parent

    chest = chain(0, (0, 0.15, 0.61), (0, 0, 0.61), (0, -0.15, 0.6))
    chain(chest, (0, -0.3, 0.68), (0, -0.42, 0.78), (0, -0.55, 0.76))
    chain(0, (0, 0.42, 0.6), (0, 0.52, 0.55), (0, 0.6, 0.5))
    for x in (0.1, -0.1):
        chain(0, (x, 0.3, 0.55), (x, 0.27, 0.32), (x, 0.34, 0.1), (x, 0.28, 0.02))
        chain(chest, (x, -0.15, 0.55), (x, -0.1, 0.32), (x, -0.15, 0.1), (x, -0.2, 0.02))
    return parents, np.array(heads)


def car() -> tuple[list[int], np.ndarray]:
    corners = [(x, y, 0.3) for x in (0.8, -0.8) for y in (1.3, -1.3)]
    heads = [(0, 0, 0.5), *corners, (0.7, 0, 1), (-0.7, 0, 1), (0, -1, 1)]
    return [-1, *[0] * (len(heads) - 1)], np.array(heads)


@pytest.mark.parametrize(("build", "told"), [(quadruped, "biped"), (car, "no bone that fits")])
def test_what_is_no_person_is_refused(build, told):
    parents, heads = build()
    with pytest.raises(UserError, match=told) as caught:
        detect(nameless(len(parents)), parents, heads=heads)
    assert "no bone that fits" in str(caught.value) and "\n" not in str(caught.value)


def test_bad_armatures_end_in_one_sentence():
    names, parents, heads = rig("m2m_human-sintel")
    with pytest.raises(UserError, match="both called 'head'"):
        detect([*names[:-1], "head"], parents, heads=heads)
    broken = heads.copy()
    broken[5] = np.nan
    with pytest.raises(UserError, match="not numbers"):
        detect(nameless(len(names)), parents, heads=broken)
    ring = list(parents)
    ring[1] = 4
    with pytest.raises(UserError, match="ring"):
        detect(nameless(len(names)), ring, heads=heads)
    with pytest.raises(UserError, match="no bone that fits"):
        detect(nameless(len(names)), parents, heads=np.zeros_like(heads))
    with pytest.raises(UserError, match="no bone that fits"):
        detect([], [], heads=np.zeros((0, 3)))


def test_an_armature_without_a_spine():
    table = body_maps()["mixamo"].bones
    joints = [joint for joint in HUMANOID.names if joint in table and joint not in ("spine", "chest", "upperChest")]
    _, heads = canonical([*HUMANOID.names])
    keep = [HUMANOID.index(joint) for joint in joints]
    up = []
    for j in keep:
        parent = HUMANOID.parents[j]
        while parent >= 0 and parent not in keep:
            parent = HUMANOID.parents[parent]
        up.append(keep.index(parent) if parent >= 0 else -1)
    for names in ([table[joint][0] for joint in joints], nameless(len(joints))):
        with pytest.raises(UserError, match="no spine"):
            detect(names, up, heads=heads[keep])
