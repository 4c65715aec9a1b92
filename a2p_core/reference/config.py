"""The exact sizes, as data. `AUDIO2PHOTOREAL` is the configuration of that name; tests take smaller ones."""

from __future__ import annotations

from dataclasses import dataclass, field

RATE = 48_000  #: Hz of the data set's sound
HEARD_RATE = 16_000  #: Hz that the audio networks hear
FPS = 30
SAMPLES = RATE // FPS  #: per motion frame
WINDOW = 600  #: motion frames (20 s): as many as the null tables have rows for
PERIOD = 30  #: motion frames between key poses
CODES, JOINTS = 256, 104  #: numbers per frame of a face and of a body
LEVELS = 4  #: of the residual quantiser

_STEPS = ((10, 5), (8, 4), (4, 2), (4, 2), (4, 2))


@dataclass(frozen=True)
class FeatureConfig:
    """A stack of convolutions over sound at 16 kHz."""

    width: int = 512
    layers: tuple[tuple[int, int], ...] = (*_STEPS, (1, 1), (1, 1), (1, 1))  #: (kernel, stride)
    activation: str = "gelu"


@dataclass(frozen=True)
class LipConfig:
    """wav2vec_large (features, then causal convolutions of these lengths) and the regressor on top."""

    speech: FeatureConfig = FeatureConfig(layers=(*_STEPS, (1, 1), (1, 1)), activation="relu")
    causal: tuple[int, ...] = tuple(range(2, 14))
    vertices: int = 338
    heads: int = 4
    hidden: int = 1024
    encoder_layers: int = 2
    decoder_layers: int = 4
    positions: int = 1024


@dataclass(frozen=True)
class DenoiserConfig:
    channels: int  #: C, numbers per motion frame
    condition: int  #: F, numbers per audio token
    width: int
    layers: int
    heads: int = 8
    hidden: int = 1024
    dropout: float = 0.1
    condition_layers: int = 0
    poses: int = 0  #: numbers per key pose; 0: none are heard
    smooth: tuple[int, ...] = ()  #: dilations of the output convolutions
    smooth_width: int = 256  #: channels after the first of them
    tokens: int = 1998  #: most audio tokens: 20 s
    guidance: float = 2.5


@dataclass(frozen=True)
class TokenizerConfig:
    channels: int = JOINTS
    latent: int = 64
    codes: int = 1024
    levels: int = LEVELS
    dilations: tuple[int, ...] = (1, 2, 3, 1)
    decay: float = 0.99


@dataclass(frozen=True)
class GuideConfig:
    audio: int = 1024  #: F, numbers per audio token
    codes: int = 1024
    levels: int = LEVELS
    width: int = 64
    layers: int = 6
    heads: int = 4
    hidden: int = 1024
    dropout: float = 0.1
    audio_dilations: tuple[int, ...] = (1, 2, 3, 1, 2, 3) * 2
    tokens: int = 1998
    top_p: float = 0.94


@dataclass(frozen=True)
class ReferenceConfig:
    """All networks of one person."""

    audio: FeatureConfig = FeatureConfig()
    lips: LipConfig = field(default_factory=LipConfig)
    face: DenoiserConfig = DenoiserConfig(
        CODES, 2 * 512 + 3 * 338, width=512, layers=8, condition_layers=2, guidance=10.0
    )
    body: DenoiserConfig = DenoiserConfig(
        JOINTS, 2 * 512, width=256, layers=6, poses=JOINTS, smooth=(1, 2, 3, 1, 2, 3), guidance=2.0
    )
    tokenizer: TokenizerConfig = TokenizerConfig()
    guide: GuideConfig = GuideConfig()


AUDIO2PHOTOREAL = ReferenceConfig()
