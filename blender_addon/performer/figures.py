"""Who the performer is: a man or a woman, by parameters. Head frame in mm, body in metres, colours linear RGB."""

from __future__ import annotations

from dataclasses import dataclass, field

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Figure:
    """What differs between performers; bones, shape keys and the skin's topology are the same."""

    hair: str  #: "short", or "bob": to the jaw, parted on the performer's left
    brow: float = 1.0  #: half height of the eyebrows, as a part of the man's
    lash: float = 1.0  #: length of the lashes, as a part of the man's
    jaw: float = 1.0  #: width of the jaw, as a part of the man's; so are the next ones
    neck: float = 1.0
    nose: float = 1.0
    lips: float = 1.0  #: height of the lips
    eyes: float = 1.0  #: size of the eyes
    chin: float = 0.0  #: how much higher the chin ends, mm
    nose_tip: float = 0.0  #: how much higher it points, mm
    ridge: float = 0.0  #: how much flatter the ridge over the eyes is, mm
    chest: tuple[float, float] = (1.0, 1.0)  #: width and depth of the shirt round the ribs
    waist: float = 1.0  #: width of the shirt at the waist
    hips: float = 1.0  #: width at the hips
    bust: float = 0.0  #: how far the chest stands forward, m
    colours: dict[str, Colour] = field(default_factory=dict)  #: material: base colour


FIGURES = {
    "MAN": Figure("short"),
    "WOMAN": Figure(
        "bob",
        brow=0.68,
        lash=1.35,
        jaw=0.92,
        neck=0.92,
        nose=0.84,
        lips=1.12,
        eyes=1.07,
        chin=5.0,
        nose_tip=1.5,
        ridge=2.5,
        chest=(0.93, 0.93),
        waist=0.87,
        hips=1.02,
        bust=0.014,
        colours={
            "skin": (0.80, 0.49, 0.36),
            "lips": (0.62, 0.16, 0.15),
            "hair": (0.13, 0.035, 0.014),
            "brows": (0.09, 0.03, 0.015),
            "iris": (0.09, 0.20, 0.08),
            "iris_rim": (0.03, 0.06, 0.02),
            "shirt": (0.42, 0.10, 0.09),
            "trousers": (0.035, 0.045, 0.10),
            "shoes": (0.06, 0.05, 0.05),
        },
    ),
}
