"""A clip on any character: rig maps, detection, the body solve and the face solve. numpy and yaml only.

found = detect(rest.names, rest.parents)              # which rig is this?
motion = solve_body(clip, rest, found.map)            # bone -> rotations, locations
face = plan_face({"Head": shape_key_names}, rest, found.map)
motion = face.solve(clip.face_weights, clip.face_names)   # shape keys by mesh, bones
"""

from .body import BodySolver
from .body import solve as solve_body
from .detect import CORE, Detection, detect, detect_all
from .face_maps import FaceMap
from .face_plan import FaceGeometry, FaceMotion, FacePlan, plan_face
from .map_files import body_maps, face_maps
from .map_files import load as load_map
from .maps import BodyMap
from .rig import RigMotion, RigRest, SolveOptions

__all__ = [
    "CORE",
    "BodyMap",
    "BodySolver",
    "Detection",
    "FaceGeometry",
    "FaceMap",
    "FaceMotion",
    "FacePlan",
    "RigMotion",
    "RigRest",
    "SolveOptions",
    "body_maps",
    "detect",
    "detect_all",
    "face_maps",
    "load_map",
    "plan_face",
    "solve_body",
]
