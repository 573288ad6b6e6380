"""Random changes of a whole batch of faces, drawn from one generator.

Faces are float (N, C, S, S) from 0 to 1; C is 3 (RGB) where the source has colour, else 1.
All draws are made on the CPU, so that every device sees the same changes.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mien.training.config import TrainingConfig

#: ITU-R BT.601, as OpenCV and Pillow convert to grey.
GREY_WEIGHTS = (0.299, 0.587, 0.114)
#: Of a face, as a share: more than half would make it the other one.
LARGEST_MIXED_AREA = 0.5
#: Steps of the coefficients of 8 x 8 pixels in JPEG at quality 50 (ITU-T T.81, table K.1).
JPEG_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def change(faces: Tensor, config: TrainingConfig, draw: "Draw") -> Tensor:
    """Faces (N, C, S, S) in other colours, places and light, as grey ones (N, 1, S, S).

    Values may be beyond 0 and 1.
    """
    faces = to_grey(_change_colors(faces, config, draw))
    faces = _move(faces, config, draw)
    faces = _lower_resolution(faces, config, draw)
    faces = _blur(faces, config, draw)
    return _change_light(faces, config, draw)


def spoil(faces: Tensor, config: TrainingConfig, draw: "Draw") -> Tensor:
    """Faces (N, 1, S, S) with noise, compression and erased patches."""
    faces = _add_noise(faces, config, draw).clamp(0, 1)
    compressed = jpeg(faces, draw.uniform(config.jpeg_quality, 100))
    faces = torch.where(draw.chosen(config.jpeg_share), compressed, faces)
    return _erase(faces, config, draw)


def as_taught(whole: Tensor, spoilt: Tensor, config: TrainingConfig, draw: "Draw") -> Tensor:
    """What teachers see of changed faces (N, 1, S, S): them whole, or spoilt as a student does."""
    if config.teacher_view != "whole":
        return spoilt
    return torch.where(draw.chosen(config.teacher_whole_share), whole.clamp(0, 1), spoilt)


def mix(
    faces: Tensor,
    targets: Tensor,
    known: Tensor | None,
    config: TrainingConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Give chosen faces (N, 1, S, S) a patch of another, and targets (N, K) as much of its own.

    Only faces whose `known` classes (N, K) are the same are mixed.
    Source: CutMix, Yun et al. 2019, arXiv 1905.04899.
    """
    if config.mixing_share == 0:
        return faces, targets
    draw = Draw(len(faces), faces.device, generator)
    chosen = draw.chosen(config.mixing_share)
    if known is not None:
        chosen &= (known == known.roll(1, dims=0)).all(dim=1).view(-1, 1, 1, 1)
    half = draw.uniform(0, LARGEST_MIXED_AREA).sqrt().expand(-1, 2, 1, 1) / 2
    centre = half + draw.uniform(0, 1, channels=2) * (1 - 2 * half)
    patch = _patch(centre, half, faces) & chosen
    area = patch.float().mean(dim=(1, 2, 3)).unsqueeze(1)
    return torch.where(patch, faces.roll(1, dims=0), faces), targets.lerp(targets.roll(1, 0), area)


def to_grey(faces: Tensor) -> Tensor:
    """Grey faces (N, 1, S, S) from (N, C, S, S)."""
    if faces.shape[1] == 1:
        return faces
    weights = faces.new_tensor(GREY_WEIGHTS).view(1, 3, 1, 1)
    return (faces * weights).sum(dim=1, keepdim=True)


class Draw:
    """Draws for the images of one batch, each as (N, 1, 1, 1)."""

    def __init__(self, count: int, device: torch.device, generator: torch.Generator) -> None:
        self.count, self.device, self.generator = count, device, generator

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Even draws from `low` to `high`, (N, channels, 1, 1)."""
        draws = torch.rand(self.count, channels, 1, 1, generator=self.generator)
        return (low + (high - low) * draws).to(self.device)

    def chosen(self, share: float) -> Tensor:
        """Which images are chosen, if each is with the probability `share`."""
        return self.uniform(0, 1) < share

    def normal_like(self, faces: Tensor) -> Tensor:
        """Standard normal draws, one per pixel."""
        return torch.randn(faces.shape, generator=self.generator).to(self.device)


def _change_colors(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    if faces.shape[1] == 1:
        return faces
    return faces * draw.uniform(1 - config.color, 1 + config.color, channels=3)


def _move(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    """Flip, rotate, scale and shift in one resampling.

    Beyond the image its border is repeated or, for the chosen ones, another image lies behind it,
    upside down.
    """
    angle = draw.uniform(-1, 1).flatten() * math.radians(config.rotation_degrees)
    zoom = 1 + draw.uniform(-1, 1).flatten() * config.scale
    mirror = torch.where(draw.chosen(config.flip).flatten(), -1.0, 1.0)
    shift = draw.uniform(-1, 1, channels=2).view(-1, 2) * 2 * config.shift
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    rows = [
        torch.stack([cos * mirror, -sin, shift[:, 0]], dim=1),
        torch.stack([sin * mirror, cos, shift[:, 1]], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(faces.shape), align_corners=False)
    moved = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
    cover = F.grid_sample(torch.ones_like(faces), grid, align_corners=False)
    behind = torch.where(draw.chosen(config.background_share), faces.roll(1, dims=0).flip(2), moved)
    return behind.lerp(moved, cover)


def _lower_resolution(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    """One lower resolution a batch, for the images that are chosen."""
    factor = float(draw.uniform(config.low_resolution, 1)[0])
    chosen = draw.chosen(config.low_resolution_share)
    side = faces.shape[-1]
    small = F.interpolate(faces, size=max(2, round(side * factor)), mode="bilinear", antialias=True)
    return torch.where(chosen, F.interpolate(small, size=side, mode="bilinear"), faces)


def _blur(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    """Gaussian blur, first along the rows and then along the columns, for the chosen images."""
    chosen = draw.chosen(config.blur_share).flatten()
    deviation = draw.uniform(min(0.3, config.blur), config.blur).view(-1, 1)[chosen]
    if len(deviation) == 0 or config.blur == 0:
        return faces
    reach = math.ceil(3 * config.blur)
    places = torch.arange(-reach, reach + 1, device=faces.device)
    kernel = torch.exp(-((places / deviation) ** 2) / 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).unsqueeze(1)  # (M, 1, 2 reach + 1)
    sharp = faces[chosen].transpose(0, 1)  # (1, M, S, S): one group of the convolution an image
    padded = F.pad(sharp, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel.unsqueeze(2), groups=len(kernel))
    blurred = F.conv2d(across, kernel.unsqueeze(3), groups=len(kernel))
    faces = faces.clone()
    faces[chosen] = blurred.transpose(0, 1)
    return faces


def _change_light(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    gain = draw.uniform(1 - config.contrast, 1 + config.contrast)
    offset = draw.uniform(-config.brightness, config.brightness)
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    return (faces - mean) * gain + mean + offset


def _add_noise(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    deviation = draw.uniform(0, config.noise) * draw.chosen(config.noise_share)
    return faces + deviation * draw.normal_like(faces)


def jpeg(faces: Tensor, quality: Tensor) -> Tensor:
    """What JPEG (ITU-T T.81) leaves of grey faces (N, 1, S, S), at qualities (N, 1, 1, 1)."""
    fineness = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    steps = (faces.new_tensor(JPEG_STEPS) * fineness).round().clamp(1, 255)[:, None]

    side = faces.shape[-1]
    padded = F.pad(255 * faces - 128, (0, -side % 8, 0, -side % 8), mode="replicate")
    count = padded.shape[-1] // 8
    blocks = padded.reshape(-1, count, 8, count, 8).transpose(2, 3)  # (N, count, count, 8, 8)
    cosines = _cosines().to(faces)
    coefficients = cosines @ blocks @ cosines.T
    blocks = cosines.T @ ((coefficients / steps).round() * steps) @ cosines
    coded = blocks.transpose(2, 3).reshape(padded.shape)[..., :side, :side]
    return ((coded + 128) / 255).clamp(0, 1)


def _cosines() -> Tensor:
    """The orthonormal matrix (8, 8) of the discrete cosine transform."""
    places = torch.arange(8)
    cosines = torch.cos(torch.pi / 8 * (places + 0.5) * places[:, None]) / 2
    cosines[0] /= math.sqrt(2)
    return cosines


def _erase(faces: Tensor, config: TrainingConfig, draw: Draw) -> Tensor:
    """Cover a patch of the chosen images with one grey (Zhong et al. 2017, arXiv 1708.04896)."""
    centre = draw.uniform(0, 1, channels=2)
    half = draw.uniform(0.1 * config.erase, config.erase, channels=2) / 2
    covered = _patch(centre, half, faces) & draw.chosen(config.erase_share)
    return torch.where(covered, draw.uniform(0, 1), faces)


def _patch(centre: Tensor, half: Tensor, faces: Tensor) -> Tensor:
    """Which pixels (N, 1, S, S) lie in a rectangle, across and down as shares (N, 2, 1, 1)."""
    places = (torch.arange(faces.shape[-1], device=faces.device) + 0.5) / faces.shape[-1]
    across = (places.view(1, 1, 1, -1) - centre[:, :1]).abs() < half[:, :1]
    down = (places.view(1, 1, -1, 1) - centre[:, 1:]).abs() < half[:, 1:]
    return across & down
