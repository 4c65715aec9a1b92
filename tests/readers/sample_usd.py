"""python sample_usd.py FILE.usd FPS COUNT OUT.json: what Pixar's own library makes of a file, frame by frame.

The same as `sample.mjs` writes: bones: name -> [[x, y, z, w of the world's rotation, x, y, z of its place]]; morphs:
name -> [value]; clips: [[name, seconds]]; and up, the axis that points up.
"""

from __future__ import annotations

import json
import sys

from pxr import Usd, UsdGeom, UsdSkel


def main(file: str, fps: float, count: int, out: str) -> None:
    stage = Usd.Stage.Open(file)
    cache, bones, morphs = UsdSkel.Cache(), {}, {}
    roots = [UsdSkel.Root(prim) for prim in stage.Traverse() if prim.IsA(UsdSkel.Root)]
    for root in roots:
        cache.Populate(root, Usd.PrimDefaultPredicate)
    skeletons = [prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton)]
    rate = stage.GetTimeCodesPerSecond()
    for frame in range(count):
        time = stage.GetStartTimeCode() + frame * rate / fps
        places = UsdGeom.XformCache(time)
        for prim in skeletons:
            skeleton = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
            world = places.GetLocalToWorldTransform(prim)
            for path, matrix in zip(skeleton.GetJointOrder(), skeleton.ComputeJointSkelTransforms(time)):
                placed = (matrix * world).RemoveScaleShear()
                turn, place = placed.ExtractRotationQuat(), placed.ExtractTranslation()
                row = [*turn.GetImaginary(), turn.GetReal(), *place]
                bones.setdefault(path.rpartition("/")[2], []).append(row)
            animation = skeleton.GetAnimQuery()
            for name, value in zip(animation.GetBlendShapeOrder(), animation.ComputeBlendShapeWeights(time) or ()):
                morphs.setdefault(str(name), []).append(value)
    seconds = (stage.GetEndTimeCode() - stage.GetStartTimeCode()) / rate
    found = {"clips": [["", seconds]], "up": UsdGeom.GetStageUpAxis(stage), "bones": bones, "morphs": morphs}
    found["first"] = stage.GetStartTimeCode()
    with open(out, "w", encoding="utf-8") as file_:
        json.dump(found, file_)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
