"""Faces with votes for their emotions: what every data set is read into."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import DataError, ImageError
from mien.files import replacing
from mien.images import read_image, to_grey
from mien.labels import EMOTIONS


@dataclass(frozen=True)
class FaceSet:
    """The faces of one split.

    Attributes:
        images: uint8 (N, H, W), or (N, H, W, 3) RGB where a file is in colour.
        votes: (N, K + 2), for each of K labels, "unknown" and "not a face".
        names: the files' names.
        edition: which published edition the votes are of.
        labels: the K classes that the set tells apart.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.int64]
    names: tuple[str, ...]
    edition: str
    labels: tuple[str, ...] = EMOTIONS

    def __len__(self) -> int:
        return len(self.names)

    def select(self, rows: NDArray[np.bool_] | slice) -> "FaceSet":
        """The faces that `rows` picks."""
        names = tuple(np.array(self.names)[rows].tolist())
        return replace(self, images=self.images[rows], votes=self.votes[rows], names=names)

    def grey(self) -> Iterator[NDArray[np.uint8]]:
        """The images in grey, each (H, W)."""
        return iter(self.images) if self.images.ndim == 3 else map(to_grey, self.images)

    def also_in(self, other: "FaceSet") -> NDArray[np.bool_]:
        """Which faces (N,) stand pixel by pixel in `other` too."""
        seen = {pixel_digest(image) for image in other.images}
        return np.array([pixel_digest(image) in seen for image in self.images], dtype=bool)


def pixel_digest(image: NDArray[np.uint8]) -> bytes:
    """What tells the pixels of pictures of one size apart; a set's own would fill the memory.

    By it the halves of validation sets are told apart too: it must stay as it is.
    """
    return hashlib.sha256(without_needless_colour(image).tobytes()).digest()


def read_face(path: Path) -> NDArray[np.uint8]:
    """Grey (H, W), or RGB (H, W, 3) where the file has colour.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        image = read_image(path)
    except ImageError as error:
        raise DataError(str(error)) from error
    return without_needless_colour(image)


def stacked(
    images: Sequence[NDArray[np.uint8]], folder: Path, names: Sequence[str]
) -> NDArray[np.uint8]:
    """Pictures as one array; in colour where one of them is.

    Raises:
        DataError: they differ in size.
    """
    if any(image.ndim == 3 for image in images):
        images = [np.dstack([image] * 3) if image.ndim == 2 else image for image in images]
    for name, image in zip(names, images, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"{folder / name}: {image.shape[1]} x {image.shape[0]} pixels, "
                f"the images before it {images[0].shape[1]} x {images[0].shape[0]}"
            )
    return np.stack(images)


def without_needless_colour(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey (H, W) instead of RGB (H, W, 3) whose three channels are the same."""
    if image.ndim == 3 and all(np.array_equal(image[..., 0], image[..., i]) for i in (1, 2)):
        return image[..., 0]
    return image


def write_face(path: Path, face: NDArray[np.uint8]) -> None:
    """Write RGB (S, S, 3) or grey (S, S) as PNG, whole or not at all."""
    plain = without_needless_colour(face)
    order = plain if plain.ndim == 2 else cv2.cvtColor(plain, cv2.COLOR_RGB2BGR)
    with replacing(path, outlasts_power=False) as part:
        part.write_bytes(cv2.imencode(".png", order)[1].tobytes())
