import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from mien.training.augment import Draw, change, jpeg, mix, spoil, to_grey
from mien.training.config import TrainingConfig

NOTHING = TrainingConfig(
    flip=0.0,
    rotation_degrees=0.0,
    scale=0.0,
    shift=0.0,
    background_share=0.0,
    brightness=0.0,
    contrast=0.0,
    color=0.0,
    noise_share=0.0,
    blur_share=0.0,
    low_resolution_share=0.0,
    jpeg_share=0.0,
    erase_share=0.0,
)


def changed(faces: Tensor, seed: int = 0, **settings: Any) -> Tensor:
    config = dataclasses.replace(NOTHING, **settings)
    draw = Draw(len(faces), faces.device, torch.Generator().manual_seed(seed))
    return spoil(change(faces, config, draw), config, draw)


@pytest.fixture
def faces() -> Tensor:
    """Smooth grey faces (8, 1, 48, 48), so that resampling costs little."""
    coarse = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(coarse, size=48, mode="bicubic").clamp(0.2, 0.8)


def test_nothing_changes_when_all_is_off(faces: Tensor) -> None:
    torch.testing.assert_close(changed(faces), faces, atol=1e-5, rtol=0)


def test_a_flip_mirrors(faces: Tensor) -> None:
    torch.testing.assert_close(changed(faces, flip=1.0), faces.flip(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"rotation_degrees": 20.0},
        {"scale": 0.2},
        {"shift": 0.1},
        {"brightness": 0.2},
        {"contrast": 0.4},
        {"noise_share": 1.0},
        {"blur_share": 1.0, "blur": 2.0},
        {"low_resolution_share": 1.0, "low_resolution": 0.3},
        {"jpeg_share": 1.0, "jpeg_quality": 10.0},
        {"erase_share": 1.0, "erase": 0.4},
    ],
)
def test_each_change_acts_by_itself_and_follows_from_the_seed(
    faces: Tensor, settings: dict[str, float]
) -> None:
    once, again, other = (changed(faces, seed, **settings) for seed in (3, 3, 4))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert ((once - faces).abs().amax(dim=(1, 2, 3)) > 1e-3).all()
    assert once.min() >= 0
    assert once.max() <= 1


def test_a_shift_moves_by_a_share_of_the_side() -> None:
    faces = torch.zeros(64, 1, 48, 48)
    faces[:, :, 24, 24] = 1
    moved = changed(faces, shift=0.1)
    rows = (moved.sum(dim=3) * torch.arange(48)).sum(dim=2) / moved.sum(dim=(2, 3))
    distance = (rows - 24).abs()
    assert distance.max() <= 4.81  # a tenth of 48, and rounding
    assert distance.max() > 4


def test_rotation_keeps_to_its_range() -> None:
    faces = torch.zeros(64, 1, 49, 49)
    faces[:, :, 24, 44] = 1  # twenty pixels to the right of the centre
    turned = changed(faces, rotation_degrees=30.0)
    rows = (turned.sum(dim=3) * torch.arange(49)).sum(dim=2) / turned.sum(dim=(2, 3)) - 24
    assert 8 < rows.abs().max() <= 10.1  # at most twenty pixels times the sine of 30 degrees


def test_another_image_lies_upside_down_behind_a_moved_one() -> None:
    faces = torch.zeros(64, 1, 48, 48)
    faces[1::2, :, :24] = 1  # every second one is white above; behind the others, white below
    moved = changed(faces, shift=0.2, background_share=1.0)[::2]
    assert (moved[:, :, :23] == 0).all()
    assert (moved[:, :, 25:].amax(dim=(1, 2, 3)) > 0.9).float().mean() > 0.8
    assert (changed(faces, shift=0.2)[::2] == 0).all()


def test_contrast_keeps_the_mean_of_every_face(faces: Tensor) -> None:
    means = [one.mean(dim=(1, 2, 3)) for one in (faces, changed(faces, contrast=0.4))]
    assert means[0].std() > 0.01
    torch.testing.assert_close(means[1], means[0], atol=2e-3, rtol=0)


@pytest.mark.parametrize("grey", [0.0, 1.0])
def test_noise_stays_within_black_and_white(grey: float) -> None:
    noisy = changed(torch.full((16, 1, 48, 48), grey), noise_share=1.0)
    assert noisy.std() > 0.001
    assert 0 <= noisy.min() <= noisy.max() <= 1


def test_erased_patches_are_rectangles_of_all_shapes_within_their_size() -> None:
    black = torch.zeros(64, 1, 100, 100)
    erased = changed(black, erase_share=1.0, erase=0.4) > 0
    inside = ~erased[:, :, [0, -1]].any(dim=3).flatten(1).any(dim=1)
    inside &= ~erased[:, :, :, [0, -1]].any(dim=2).flatten(1).any(dim=1)
    assert inside.sum() > 20  # the others are cut off at the border
    heights = erased.any(dim=3).sum(dim=(1, 2))[inside]
    widths = erased.any(dim=2).sum(dim=(1, 2))[inside]
    for sides in (heights, widths):
        assert 25 < sides.max() <= 41
    assert (heights > 1.5 * widths).any()
    assert (widths > 1.5 * heights).any()


def test_faces_come_nearer_and_go_farther() -> None:
    places = torch.arange(48) - 23.5
    disc = ((places[:, None] ** 2 + places**2) < 10**2).float().expand(64, 1, 48, 48)
    sides = (changed(disc, scale=0.2).mean(dim=(1, 2, 3)) / disc[0].mean()).sqrt()
    assert 0.78 < sides.min() < 0.9
    assert 1.1 < sides.max() < 1.27


@pytest.mark.parametrize("largest", [0.0, 0.1, 1.2, 2.0, 10.0])
def test_the_deviation_of_the_blur_reaches_as_far_as_is_said(largest: float) -> None:
    places = torch.arange(97) - 48
    dot = ((places[:, None] == 0) & (places == 0)).float().expand(256, 1, 97, 97)
    across = changed(dot, blur_share=1.0, blur=largest).sum(dim=(1, 2))
    deviations = (across * places**2).sum(dim=1).div(across.sum(dim=1)).sqrt()
    expected = largest if largest > 1 else 0  # so narrow a bell lies within one pixel
    assert deviations.max() == pytest.approx(expected, rel=0.03, abs=1e-3)


def test_a_lower_resolution_blurs_fine_patterns_into_grey() -> None:
    places = torch.arange(48)
    pattern = ((places + places[:, None]) % 2).float().expand(4, 1, 48, 48)
    for seed in range(4):
        lowered = changed(pattern, seed, low_resolution_share=1.0, low_resolution=0.3)
        assert (lowered - 0.5).abs().mean() < 0.02


@pytest.mark.parametrize("quality", [10, 50, 90])
@pytest.mark.parametrize("side", [48, 50])
def test_compression_leaves_what_a_jpeg_file_leaves(quality: int, side: int) -> None:
    coarse = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = (255 * torch.nn.functional.interpolate(coarse, size=side, mode="bicubic")).clamp(
        0, 255
    )
    images = images.round()
    ours = 255 * jpeg(images / 255, torch.full((6, 1, 1, 1), float(quality)))
    for ours_one, image in zip(ours, images, strict=True):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        file = cv2.imencode(".jpg", image[0].byte().numpy(), options)[1]
        theirs = torch.from_numpy(np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)))
        assert (ours_one[0] - theirs).abs().mean() < 1


def test_only_chosen_images_change(faces: Tensor) -> None:
    same = (changed(faces.repeat(50, 1, 1, 1), erase_share=0.25) - faces.repeat(50, 1, 1, 1)).abs()
    share = (same.amax(dim=(1, 2, 3)) < 1e-5).float().mean()
    assert 0.65 < share < 0.85


def test_colour_changes_act_before_the_grey_conversion(faces: Tensor) -> None:
    grey_picture = faces.expand(-1, 3, -1, -1).contiguous()
    red_picture = torch.cat([faces, 0 * faces, 0 * faces], dim=1)
    assert torch.equal(changed(faces, color=0.5), changed(faces))
    ratio = changed(red_picture, color=0.5) / to_grey(red_picture).clamp(min=1e-6)
    per_image = ratio.flatten(1).median(dim=1).values
    assert per_image.min() > 0.5
    assert per_image.max() < 1.5
    assert per_image.std() > 0.05
    torch.testing.assert_close(changed(grey_picture), faces, atol=1e-5, rtol=0)


def mixed(known: Tensor | None = None, share: float = 1.0) -> tuple[Tensor, Tensor]:
    """Forty even faces, each in a grey and a class of its own, mixed."""
    faces = (torch.arange(40) / 40).view(-1, 1, 1, 1).expand(-1, 1, 48, 48)
    config = dataclasses.replace(NOTHING, mixing_share=share)
    return mix(faces, torch.eye(40), known, config, torch.Generator().manual_seed(2))


def test_a_mixed_face_has_as_much_of_another_ones_target_as_of_its_pixels() -> None:
    faces, targets = mixed()
    for row, (face, target) in enumerate(zip(faces, targets, strict=True)):
        area = (face == (row - 1) % 40 / 40).float().mean()
        assert target[row] == pytest.approx(1 - area)
        assert target[(row - 1) % 40] == pytest.approx(area)
    areas = 1 - targets.diagonal()
    assert areas.max() < 0.55
    assert areas.mean() == pytest.approx(0.25, abs=0.05)


def test_only_chosen_faces_with_the_same_classes_are_mixed() -> None:
    assert 10 <= (mixed(share=0.5)[1].diagonal() == 1).sum() <= 30
    known = torch.ones(40, 40, dtype=torch.bool)
    known[20:, :5] = False
    is_whole = mixed(known)[1].diagonal() == 1
    assert is_whole.nonzero().flatten().tolist() == [0, 20]
