"""Measuring a model file on one split of data sets."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.classification import Classification
from mien.datasets.faces import FaceSet
from mien.datasets.sets import check_different, has_split, read_split
from mien.datasets.votes import known_targets, majority_places, soft_targets, strict_majority
from mien.errors import DataError
from mien.evaluation.certainty import Answers, Certainty, measure_certainty
from mien.evaluation.metrics import Scores, Share, divergence_to_votes, score, share
from mien.evaluation.robustness import ChangedFaces, ChangeScores, measure_robustness
from mien.evaluation.scoring import classify_faces
from mien.labels import NO_CLASS
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
        unseen_accuracy: accuracy without the faces that stand, pixel by pixel, in the training
            split of these data too, from which the model need not have learnt; None if that
            split is not there to compare with.
        divergence: Kullback-Leibler divergence to the votes, over all faces led by an emotion.
        certainty: how far what the answers say about themselves can be relied on.
        robustness: how the answers stand changes of the picture; None if not measured.
        provenance: where the model comes from, by its metadata.
        names: the files of all N faces of the split.
        majority: the class that the crowd sees in each by the protocol; None where it does
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
            "faces": len(self.names),
            **dataclasses.asdict(self.scores),
            "left_out": self.left_out,
            "accuracy_without_training_duplicates": unseen and dataclasses.asdict(unseen),
            "kullback_leibler_to_votes": self.divergence,
            "certainty": dataclasses.asdict(self.certainty),
            "robustness": [dataclasses.asdict(one) for one in self.change_scores] or None,
            "provenance": self.provenance,
        }


@dataclass(frozen=True)
class Validations:
    """What a model answers on a split of data sets: on each, and on all faces together.

    How answers stand changes of the picture is measured on each alone.
    """

    folders: tuple[Path, ...]
    of_sets: tuple[Validation, ...]
    together: Validation

    def to_dict(self) -> dict[str, Any]:
        """The scores as plain values, for JSON; of one data set those of its `Validation`."""
        if len(self.of_sets) == 1:
            return self.together.to_dict()
        of_sets = zip(self.folders, self.of_sets, strict=True)
        return {
            "together": self.together.to_dict(),
            "sets": {str(folder): one.to_dict() for folder, one in of_sets},
        }


class _Answered(NamedTuple):
    """N faces with votes (N, K + 2), what a model says of them, and which are in Training (N,)."""

    where: str
    names: tuple[str, ...]
    votes: NDArray[np.int64]
    classes: tuple[str, ...]
    edition: str
    outputs: Classification
    seen: NDArray[np.bool_] | None


def validate(
    model: ModelFile,
    data_dir: Path,
    split: str,
    robustness: bool = False,
    on_change: Callable[[int, int], None] | None = None,
) -> Validation:
    """Run a model file over one split of a data set and score its answers.

    Args:
        model: the model file.
        data_dir: folder of the data set.
        split: "valid" or "test".
        robustness: whether to measure how the answers stand changes of the picture as well.
        on_change: told after each of those changes how many of how many are done.

    Raises:
        DataError: the split is missing or damaged, or none of its faces counts.
    """
    return validate_sets(model, [data_dir], split, robustness, on_change).together


def validate_sets(
    model: ModelFile,
    data_dirs: Sequence[Path],
    split: str,
    robustness: bool = False,
    on_change: Callable[[int, int], None] | None = None,
) -> Validations:
    """Do as `validate` for several data sets: score each, and all faces together.

    Raises:
        DataError: as `validate`.
        ConfigError: a data set is named twice.
    """
    check_different(data_dirs)
    learnt = [read_split(one, "train") for one in data_dirs if has_split(one, "train")]
    answers, results = [], []
    for place, data_dir in enumerate(data_dirs):
        faces = read_split(data_dir, split)
        answers.append(_answered(model, data_dir, split, faces, learnt))
        told = on_change and _of_all_sets(on_change, place, len(data_dirs))
        results.append(_measured(model, split, answers[-1], faces if robustness else None, told))
    together = results[0]
    if len(results) > 1:
        together = _measured(model, split, _joined(answers), None, None)
    return Validations(tuple(data_dirs), tuple(results), together)


def _answered(
    model: ModelFile, data_dir: Path, split: str, faces: FaceSet, learnt: Sequence[FaceSet]
) -> _Answered:
    seen = np.any([faces.also_in(one) for one in learnt], axis=0) if learnt else None
    outputs = classify_faces(model, faces)
    return _Answered(
        f"{data_dir}, {split}",
        faces.names,
        faces.votes,
        faces.labels,
        faces.edition,
        outputs,
        seen,
    )


def _joined(answers: Sequence[_Answered]) -> _Answered:
    """The faces of several sets as one; their names begin with the place of their set, from 1."""
    seen = [one.seen for one in answers if one.seen is not None]
    classes = tuple(dict.fromkeys(name for one in answers for name in one.classes))
    return _Answered(
        "; ".join(one.where for one in answers),
        tuple(f"{place}/{name}" for place, one in enumerate(answers, 1) for name in one.names),
        np.concatenate([_votes_for(classes, one) for one in answers]),
        classes,
        "; ".join(dict.fromkeys(one.edition for one in answers)),
        Classification(
            np.concatenate([one.outputs.logits for one in answers]),
            np.concatenate([one.outputs.embedding for one in answers]),
        ),
        np.concatenate(seen) if seen else None,
    )


def _votes_for(classes: Sequence[str], answered: _Answered) -> NDArray[np.int64]:
    """Votes (N, C + 2) for C classes, which hold those of the set."""
    votes = np.zeros((len(answered.votes), len(classes) + len(NO_CLASS)), dtype=np.int64)
    columns = [*map(classes.index, answered.classes), -2, -1]
    votes[:, columns] = answered.votes
    return votes


def _measured(
    model: ModelFile,
    split: str,
    answered: _Answered,
    to_change: FaceSet | None,
    on_change: Callable[[int, int], None] | None,
) -> Validation:
    """Score answers; where there are faces to change, also the answers to the changed ones."""
    labels, calibration = model.metadata.labels, model.metadata.calibration
    answers = Answers.of(answered.outputs, calibration)
    majority, has_majority = strict_majority(answered.votes)
    truth = majority_places(answered.votes, answered.classes, labels)
    counted = truth >= 0
    if not counted.any():
        raise DataError(
            f"{answered.where}: none of {len(counted)} faces has a majority for "
            f"one of {', '.join(labels)}"
        )
    right = answers.right(truth)
    counted_answers = answers.select(counted)
    return Validation(
        model=model.source,
        split=split,
        votes=answered.edition,
        labels=labels,
        scores=score(counted_answers.probability, truth[counted], labels),
        left_out=int((has_majority & ~counted).sum()),
        unseen_accuracy=None if answered.seen is None else share(right[counted & ~answered.seen]),
        divergence=_divergence(answered, answers.probability, labels),
        certainty=measure_certainty(
            counted_answers,
            truth[counted],
            labels,
            calibration.candidate_threshold,
            answers.uncertainty[~has_majority],
        ),
        robustness=None
        if to_change is None
        else measure_robustness(
            model, to_change.select(counted), truth[counted], counted_answers, on_change
        ),
        provenance=model.metadata.provenance,
        names=answered.names,
        majority=tuple(answered.classes[place] if place >= 0 else None for place in majority),
        scored=counted,
        outputs=answered.outputs,
        face_likeness=answers.face_likeness,
    )


def _divergence(
    answered: _Answered, probability: NDArray[np.float64], labels: tuple[str, ...]
) -> float:
    targets, kept = known_targets(*soft_targets(answered.votes), answered.classes, labels)
    return divergence_to_votes(targets[kept], probability[kept])


def _of_all_sets(
    on_change: Callable[[int, int], None], sets_done: int, sets: int
) -> Callable[[int, int], None]:
    """The same, told of the changes of all data sets."""
    return lambda done, total: on_change(sets_done * total + done, sets * total)
