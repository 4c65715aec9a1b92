import bpy

a2p = bpy.context.scene.a2p

a2p.use_face = True
a2p.use_body = True
a2p.emotion = "neutral"
a2p.intensity = 0.7
a2p.quality = "DRAFT"
a2p.takes = 1
a2p.steps = 0
