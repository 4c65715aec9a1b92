"""A character's mesh from codes and pose, learned from its capture: shapes, skin weights, and a small correction.

    vertices = skin(rest + codes · shapes, joints) + correction(codes, pose)

Whatever moved the mesh in the capture (bones, drivers, a tracker), its skin weights over the canonical joints are found
from the posed vertices alone, by least squares with weights ≥ 0 that add up to 1. What is left over, folds and soft
tissue, is a linear function of codes and pose on a few principal components; it is kept where it helps held-out poses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from ..skeleton import kinematics, rotations
from ..skeleton.humanoid import HUMANOID, Skeleton

INFLUENCES = 6  #: joints a vertex may follow
COMPONENTS = 8  #: of the correction


@dataclass(frozen=True)
class Figure:
    """rest [V, 3] metres; moving [N]: the vertices that codes move; shapes [E, N, 3]; joints [J, 3]; influences [V, I]
    joints and weights [V, I] of each vertex; basis [C, V, 3] and mapping [C, E + 4·J + 1] of the correction."""

    rest: np.ndarray
    moving: np.ndarray
    shapes: np.ndarray
    joints: np.ndarray
    influences: np.ndarray
    weights: np.ndarray
    basis: np.ndarray
    mapping: np.ndarray

    def vertices(self, code: np.ndarray, quats: np.ndarray, root: np.ndarray) -> np.ndarray:
        """[V, 3] float32, metres, of one frame: code [E], quats [J, 4] local, root [3] as in a `MotionClip`."""
        turns, moves = joint_motion(self.joints, quats, root)
        points = self.rest.copy()
        points[self.moving] += np.tensordot(code.astype(np.float32), self.shapes, 1)
        found = np.zeros_like(points)
        for i in range(self.influences.shape[1]):
            joint = self.influences[:, i]
            found += self.weights[:, i, None] * (np.einsum("vab,vb->va", turns[joint], points) + moves[joint])
        if len(self.basis):
            found += np.tensordot(self.mapping @ driver(code, quats), self.basis, 1)
        return found


def joint_motion(joints: np.ndarray, quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each joint does to a point of the T pose: turns [J, 3, 3] and moves [J, 3], float32."""
    world, places = posed(joints, quats, root)
    turns = rotations.to_matrix(world)
    return turns.astype(np.float32), (places - np.einsum("jab,jb->ja", turns, joints)).astype(np.float32)


def posed(joints: np.ndarray, quats: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the joints of a character are turned [..., J, 4] and where they are [..., J, 3], whose joints [J, 3] are at
    rest, under quats [..., J, 4] local and root [..., 3] as in a `MotionClip`."""
    parents = np.array(HUMANOID.parents)
    offsets = joints - np.where(parents[:, None] >= 0, joints[parents], 0.0)
    own = Skeleton(HUMANOID.names, HUMANOID.parents, offsets.astype(np.float64))
    way = root - HUMANOID.offsets[0] + joints[0]
    return kinematics.forward(quats.astype(np.float64), way.astype(np.float64), own)


def driver(code: np.ndarray, quats: np.ndarray) -> np.ndarray:
    """What the correction depends on: [E + 4·J + 1]."""
    own = quats * np.where(quats[:, :1] < 0, -1.0, 1.0)
    return np.concatenate([code, own.ravel(), [1.0]]).astype(np.float32)


def fit(topology, codes: np.ndarray, quats: np.ndarray, root: np.ndarray, vertices: np.ndarray, held: np.ndarray):
    """The `Figure` of a capture's poses, held [P] being left out, and its error: the rms distance of vertices (m) on
    the held-out poses (on all, where none is). Raises `UserError` when the mesh does not follow the poses."""
    rest, shapes = topology.rest.astype(np.float32), topology.shapes.astype(np.float32)
    moving = np.flatnonzero(np.abs(shapes).max(axis=(0, 2)) > 1e-5)
    motion = [joint_motion(topology.joints, q, r) for q, r in zip(quats, root)]
    use = np.flatnonzero(~held) if (~held).any() else np.arange(len(codes))
    candidates = _candidates(rest, topology.joints)
    weights = np.empty(candidates.shape, np.float32)
    for start in range(0, len(rest), 2048):
        part = slice(start, start + 2048)
        around = np.tensordot(codes[use], shapes[:, part], 1) + rest[part]
        turns = np.stack([motion[p][0] for p in use])[:, candidates[part]]  # [P, v, I, 3, 3]
        moves = np.stack([motion[p][1] for p in use])[:, candidates[part]]
        moved = (turns @ around[:, :, None, :, None])[..., 0] + moves
        weights[part] = _weights(moved, vertices[use][:, part])
    largest = np.argsort(-weights, axis=1)[:, :INFLUENCES]
    weights = np.take_along_axis(weights, largest, 1)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    none = np.zeros((0, len(rest), 3), np.float32), np.zeros((0, codes.shape[1] + quats[0].size + 1), np.float32)
    influences = np.take_along_axis(candidates, largest, 1)
    plain = Figure(rest, moving, shapes[:, moving], topology.joints, influences, weights, *none)
    left = vertices - np.stack([plain.vertices(*one) for one in zip(codes, quats, root)])
    judged = np.flatnonzero(held) if held.any() else np.arange(len(codes))
    error = _rms(left[judged])
    if error > 0.10:
        raise UserError(
            f"The mesh lies {100 * error:.0f} cm from where the poses put it. Are its poses and vertices of one frame, "
            "in metres, Z up, facing −Y?"
        )
    if error < 1e-4:
        return plain, error
    basis, mapping = _correction(left[use], np.stack([driver(c, q) for c, q in zip(codes[use], quats[use])]))
    better = Figure(*list(vars(plain).values())[:6], basis, mapping)
    after = _rms(vertices[judged] - np.stack([better.vertices(codes[p], quats[p], root[p]) for p in judged]))
    return (better, after) if after < error else (plain, error)


def _candidates(rest: np.ndarray, joints: np.ndarray, count: int = 10) -> np.ndarray:
    """[V, count]: the joints whose bones (joint to child) lie nearest to each vertex in the T pose."""
    far = np.full((len(rest), len(joints)), np.inf, np.float32)
    for joint in range(len(joints)):
        ends = [joints[child] for child in HUMANOID.children(joint)] or [joints[joint]]
        for end in ends:
            way = end - joints[joint]
            along = ((rest - joints[joint]) @ way / max(1e-9, way @ way)).clip(0, 1)[:, None]
            distance = np.linalg.norm(rest - joints[joint] - along * way, axis=1)
            far[:, joint] = np.minimum(far[:, joint], distance)
    return np.argsort(far, axis=1)[:, :count].astype(np.int32)


def _weights(moved: np.ndarray, seen: np.ndarray, rounds: int = 8) -> np.ndarray:
    """[V, I] ≥ 0, summing to 1, with Σ w·moved ≈ seen; moved [P, V, I, 3], seen [P, V, 3].

    Least squares with the sum as a constraint, anew without those that came out negative until none does.
    """
    middle = moved.mean(axis=2)
    a = (moved - middle[:, :, None]).transpose(1, 2, 0, 3).reshape(moved.shape[1], moved.shape[2], -1)
    b = (seen - middle).transpose(1, 0, 2).reshape(moved.shape[1], -1, 1)
    count = a.shape[1]
    gram, aim = (a @ a.transpose(0, 2, 1)).astype(np.float64), (a @ b)[..., 0].astype(np.float64)
    ridge = 1e-7 * np.trace(gram, axis1=1, axis2=2)[:, None] + 1e-10
    used = np.ones(aim.shape, bool)
    for _ in range(rounds):
        system = np.zeros((len(aim), count + 1, count + 1))
        system[:, :count, :count] = gram * used[:, :, None] * used[:, None, :]
        system[:, range(count), range(count)] += np.where(used, ridge, 1.0)
        system[:, :count, count] = system[:, count, :count] = used
        right = np.concatenate([aim * used, np.ones((len(aim), 1))], axis=1)
        found = np.linalg.solve(system, right[..., None])[:, :count, 0]
        negative = found < -1e-6
        if not negative.any():
            break
        used &= ~negative
    return np.maximum(found * used, 0.0).astype(np.float32)


def _correction(left: np.ndarray, drivers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal components [C, V, 3] of what is left over [P, V, 3], and ridge weights [C, D] on the drivers [P, D]."""
    flat = left.reshape(len(left), -1)
    u, s, vt = np.linalg.svd(flat, full_matrices=False)
    count = min(COMPONENTS, len(s))
    basis, values = vt[:count], u[:, :count] * s[:count]
    gram = drivers @ drivers.T + 1.0 * np.eye(len(drivers))
    mapping = (drivers.T @ np.linalg.solve(gram, values)).T
    return basis.reshape(count, -1, 3).astype(np.float32), mapping.astype(np.float32)


def _rms(away: np.ndarray) -> float:
    return float(np.sqrt((away.astype(np.float64) ** 2).sum(axis=-1).mean()))
