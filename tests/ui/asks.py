"""What the story asks Blender for: Python expressions, evaluated in its window."""

from __future__ import annotations

JOBS = "addon('host.jobs')"
OWNER = "bpy.context.scene.a2p.armature"
TAKES = f"len({OWNER}.a2p.takes)"
PLAYING = f"next(t for t in {OWNER}.a2p.takes if t.uid == {OWNER}.a2p.playing)"
KEYS = (
    f"sum(len(c.keyframe_points) for _, p in addon('host.takes').players({OWNER}, {PLAYING}) "
    "for c in addon('host.slots').holder(p).fcurves)"
)
TURN = (  # degrees that a joint turns from one frame to the next, at most
    f"(lambda q: float(2 * 57.3 * __import__('numpy').arccos(abs((q[1:] * q[:-1]).sum(-1)).clip(0, 1)).max()))"
    f"(addon('host.takes').clip_of({PLAYING}).joint_quats)"
)
SCALE = "bpy.context.preferences.system.ui_scale"
