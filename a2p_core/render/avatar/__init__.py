"""The person-specific avatar of Audio2Photoreal (after Bagautdinov 2021): a face code and a body's pose to frames.

    code [256] ─► FaceDecoder ─► face mesh + frontal texture ─► FaceEncoder ─► face latent ┐
    pose [104] ──────────────────────────────────────────────────────────► BodyDecoder ◄───┤
    nothing (the body's own shape) ─► BodyEncoder ─► body latent, a constant of the person ─┘
    BodyDecoder ─► vertex offsets ─► skinning ─► mesh;  mean texture ─► ViewDecoder, Upscale, shadow ─► texture
    mesh + texture + camera ─► rasteriser ─► frame

Weights are the user's own; none are shipped. Sizes are data (`AvatarConfig`).
"""
