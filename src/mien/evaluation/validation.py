"""Measuring a model file on one split of FER+."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.classification import Classification
from mien.datasets.ferplus import SPLITS, FaceSet, read_split
from mien.datasets.vote_table import LABEL_FILE
from mien.datasets.votes import soft_targets, strict_majority
from mien.errors import DataError
from mien.evaluation.certainty import Answers, Certainty, measure_certainty
from mien.evaluation.metrics import Scores, Share, divergence_to_votes, score, share
from mien.evaluation.robustness import ChangedFaces, ChangeScores, measure_robustness
from mien.evaluation.scoring import classify_faces, label_indices
from mien.labels import EMOTIONS, emotion_columns
from mien.model_file import ModelFile


@dataclass(frozen=True)
class Validation:
    """What a model answers on one split, and how good that is.

    Attributes:
        model: where the model file is.
        split: "valid" or "test".
        votes: which published edition of the votes was counted.
        labels: the model's classes.
        scores: by the strict-majority protocol, over the classes that the model knows.
        left_out: faces with a majority for a class that the model does not know.
        unseen_accuracy: accuracy without the faces that stand, pixel by pixel, in Training too;
            None if the training split is not there to compare with.
        divergence: Kullback-Leibler divergence to the votes, over all faces led by an emotion.
        certainty: how far what the answers say about themselves can be relied on.
        robustness: how the answers stand changes of the picture; None if not measured.
        provenance: where the model comes from, by its metadata.
        names: the files of all N faces of the split.
        majority: the emotion that the crowd sees in each by the protocol; None where it does
            not agree.
        scored: which faces (N,) are scored: those with a majority for one of `labels`.
        outputs: logits (N, C) and embeddings (N, D).
        face_likeness: of each face (N,).
    """

    model: str
    split: str
    votes: str
    labels: tuple[str, ...]
    scores: Scores
    left_out: int
    unseen_accuracy: Share | None
    divergence: float
    certainty: Certainty
    robustness: tuple[ChangedFaces, ...] | None
    provenance: dict[str, Any]
    names: tuple[str, ...]
    majority: tuple[str | None, ...]
    scored: NDArray[np.bool_]
    outputs: Classification
    face_likeness: NDArray[np.float64]

    @property
    def change_scores(self) -> tuple[ChangeScores, ...]:
        """Scores of the changed faces; none if they were not measured."""
        return tuple(one.scores for one in self.robustness or ())

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain values, for JSON."""
        unseen = self.unseen_accuracy
        return {
            "model": self.model,
            "split": self.split,
            "protocol": "strict majority",
            "votes": self.votes,
            "labels": list(self.labels),
            **dataclasses.asdict(self.scores),
            "left_out": self.left_out,
            "accuracy_without_training_duplicates": unseen and dataclasses.asdict(unseen),
            "kullback_leibler_to_votes": self.divergence,
            "certainty": dataclasses.asdict(self.certainty),
            "robustness": [dataclasses.asdict(one) for one in self.change_scores] or None,
            "provenance": self.provenance,
        }


def validate(
    model: ModelFile,
    data_dir: Path,
    split: str,
    robustness: bool = False,
    on_change: Callable[[int, int], None] | None = None,
) -> Validation:
    """Run a model file over one split and score its answers.

    Args:
        model: the model file.
        data_dir: folder of the data set.
        split: "valid" or "test".
        robustness: whether to measure how the answers stand changes of the picture as well.
        on_change: told after each of those changes how many of how many are done.

    Raises:
        DataError: the split is missing or damaged, or none of its faces counts.
    """
    faces, labels = read_split(data_dir, split), model.metadata.labels
    calibration = model.metadata.calibration
    outputs = classify_faces(model, faces)
    answers = Answers.of(outputs, calibration)
    majority, has_majority = strict_majority(faces.votes)
    truth = label_indices(majority, labels)
    counted = truth >= 0
    if not counted.any():
        raise DataError(
            f"{data_dir / SPLITS[split].folder}: none of {len(faces)} faces has a majority for "
            f"one of {', '.join(labels)}"
        )
    seen = _seen_in_training(data_dir, faces)
    right = answers.right(truth)
    counted_answers = answers.select(counted)
    return Validation(
        model=model.source,
        split=split,
        votes=faces.edition,
        labels=labels,
        scores=score(counted_answers.probability, truth[counted], labels),
        left_out=int((has_majority & ~counted).sum()),
        unseen_accuracy=None if seen is None else share(right[counted & ~seen]),
        divergence=_divergence(faces, answers.probability, labels),
        certainty=measure_certainty(
            counted_answers,
            truth[counted],
            labels,
            calibration.candidate_threshold,
            answers.uncertainty[~has_majority],
        ),
        robustness=measure_robustness(
            model, faces.select(counted), truth[counted], counted_answers, on_change
        )
        if robustness
        else None,
        provenance=model.metadata.provenance,
        names=faces.names,
        majority=tuple(EMOTIONS[label] if label >= 0 else None for label in majority),
        scored=counted,
        outputs=outputs,
        face_likeness=answers.face_likeness,
    )


def _divergence(faces: FaceSet, probability: NDArray[np.float64], labels: tuple[str, ...]) -> float:
    targets, kept = soft_targets(faces.votes)
    columns = emotion_columns(labels)
    kept &= np.isin(targets.argmax(axis=1), columns)
    known = targets[kept][:, columns]
    return divergence_to_votes(known / known.sum(axis=1, keepdims=True), probability[kept])


def _seen_in_training(data_dir: Path, faces: FaceSet) -> NDArray[np.bool_] | None:
    if not (data_dir / SPLITS["train"].folder / LABEL_FILE).exists():
        return None
    return faces.also_in(read_split(data_dir, "train"))
