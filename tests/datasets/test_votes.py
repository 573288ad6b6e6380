from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.datasets.vote_table import first_of_each_name, read_label_file, read_vote_table
from mien.datasets.vote_table import votes_array as as_array
from mien.datasets.votes import RULES, soft_targets, strict_majority, without_outliers
from mien.labels import EMOTIONS, VOTE_COLUMNS

Votes = dict[str, int]
Targets = dict[str, float]


def row(votes: Votes) -> NDArray[np.int64]:
    return np.array([[votes.get(name, 0) for name in VOTE_COLUMNS]])


def targets(votes: Votes, mode: str) -> Targets | None:
    """The targets above zero, or None if the face is dropped."""
    found, kept = RULES[mode](row(votes))
    assert found.shape == (1, 8)
    shares = {name: share for name, share in zip(EMOTIONS, found[0], strict=True) if share}
    if not kept[0]:
        assert not shares
        return None
    return shares


def test_single_votes_are_outliers() -> None:
    cleaned = without_outliers(row({"neutral": 7, "fear": 2, "anger": 1}))
    np.testing.assert_array_equal(cleaned, row({"neutral": 7, "fear": 2}))


@pytest.mark.parametrize("mode", RULES)
@pytest.mark.parametrize(
    "votes",
    [
        {},
        dict.fromkeys(VOTE_COLUMNS, 1),
        {"unknown": 10},
        {"NF": 10},
        {"unknown": 6, "neutral": 4},
        {"NF": 6, "neutral": 4},
    ],
    ids=["none", "single votes", "unknown", "no face", "unknown leads", "no face leads"],
)
def test_faces_that_no_emotion_leads_are_dropped(mode: str, votes: Votes) -> None:
    assert targets(votes, mode) is None


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({"neutral": 6, "sadness": 4}, {"neutral": 1}),
        ({"sadness": 4, "happiness": 3}, {"sadness": 1}),
        ({"neutral": 5, "happiness": 3, "sadness": 2}, None),  # exactly half
        ({"neutral": 5, "happiness": 5}, None),
        ({"neutral": 4, "happiness": 3, "sadness": 3}, None),
        ({"neutral": 4, "happiness": 3, "fear": 1, "anger": 1, "NF": 1}, {"neutral": 1}),
        ({"neutral": 6, "unknown": 4}, {"neutral": 1}),
        ({"neutral": 5, "unknown": 5}, None),
    ],
)
def test_majority_takes_the_class_with_more_than_half(
    votes: Votes, expected: Targets | None
) -> None:
    assert targets(votes, "majority") == expected


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({"neutral": 6, "sadness": 3, "fear": 1}, {"neutral": 2 / 3, "sadness": 1 / 3}),
        ({"neutral": 3, "unknown": 2, "NF": 2, "sadness": 2}, {"neutral": 0.6, "sadness": 0.4}),
        ({"neutral": 4, "unknown": 4, "fear": 2}, {"neutral": 2 / 3, "fear": 1 / 3}),  # a tie
        ({"neutral": 2, "unknown": 1, "NF": 1}, {"neutral": 1}),
    ],
)
def test_soft_takes_the_shares_of_all_emotions(votes: Votes, expected: Targets) -> None:
    assert targets(votes, "soft") == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["crossentropy", "probability"])
@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({"neutral": 6, "sadness": 2}, {"neutral": 1}),  # exactly 75 %
        ({"neutral": 7, "sadness": 3}, {"neutral": 0.7, "sadness": 0.3}),
        ({"neutral": 8, "sadness": 1, "fear": 1}, {"neutral": 1}),
        ({"neutral": 6, "sadness": 3, "fear": 3}, {"neutral": 0.5, "sadness": 0.25, "fear": 0.25}),
    ],
    ids=["three quarters", "below three quarters", "single votes", "tie on the second place"],
)
def test_crossentropy_takes_leading_classes_until_three_quarters(
    mode: str, votes: Votes, expected: Targets
) -> None:
    assert targets(votes, mode) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        # 12 of 18 votes in three classes: more than half, though not three quarters.
        (
            {"neutral": 5, "anger": 4, "fear": 3, "sadness": 2, "disgust": 2, "surprise": 2},
            {"neutral": 5 / 12, "anger": 4 / 12, "fear": 3 / 12},
        ),
        (dict.fromkeys(EMOTIONS[:6], 2), None),
        ({"neutral": 4, "sadness": 2, "anger": 2, "fear": 2}, None),
        ({"neutral": 3, "sadness": 3, "anger": 2, "fear": 2}, None),
        (
            {"neutral": 3, "sadness": 3, "anger": 3},
            {"neutral": 1 / 3, "sadness": 1 / 3, "anger": 1 / 3},
        ),
    ],
    ids=["three", "six tie", "tie makes four", "two ties make four", "three tie"],
)
def test_crossentropy_takes_three_classes_at_most(votes: Votes, expected: Targets | None) -> None:
    assert targets(votes, "crossentropy") == (expected and pytest.approx(expected))


@pytest.mark.parametrize("end", ["unknown", "NF"])
@pytest.mark.parametrize(
    ("votes", "ending", "expected"),
    [
        ({"neutral": 6, "sadness": 2}, 3, {"neutral": 1}),  # 6 of 11
        ({"neutral": 5, "sadness": 2}, 3, None),  # 5 of 10
        ({"neutral": 4, "fear": 3, "anger": 2}, 2, {"neutral": 4, "fear": 3, "anger": 2}),
        ({"neutral": 4, "fear": 2}, 4, None),  # 4 of 10
        ({"neutral": 5}, 5, None),
        ({"neutral": 4, "fear": 4}, 4, {"neutral": 1, "fear": 1}),  # 8 of 12
        ({"neutral": 3, "fear": 3}, 4, None),
        ({"neutral": 8, "fear": 2}, 0, {"neutral": 1}),
    ],
    ids=[
        *["in the middle, more than half", "in the middle, half", "tie in the middle"],
        *["tie at the top", "tie of two", "tie of three", "leading", "never reached"],
    ],
)
def test_reaching_unknown_or_no_face_ends_the_taking(
    end: str, votes: Votes, ending: int, expected: Votes | None
) -> None:
    found = targets({**votes, end: ending}, "crossentropy")
    if expected is None:
        assert found is None
    else:
        total = sum(expected.values())
        assert found == pytest.approx({name: count / total for name, count in expected.items()})


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({"neutral": 7, "sadness": 3}, {"neutral": 0.7, "sadness": 0.3}),  # exactly 30 %
        ({"neutral": 5, "sadness": 2}, {"neutral": 1}),
        ({"neutral": 4, "sadness": 3, "fear": 3}, {"neutral": 0.4, "sadness": 0.3, "fear": 0.3}),
        ({"neutral": 6, "sadness": 2, "anger": 2, "fear": 2}, None),  # exactly half
        ({"neutral": 2, "sadness": 2, "anger": 2, "fear": 2}, None),
        ({"neutral": 6, "unknown": 4}, {"neutral": 1}),
        ({"neutral": 4, "unknown": 4, "sadness": 2}, {"neutral": 1}),
        ({"neutral": 3, "sadness": 3, "unknown": 4}, None),
    ],
)
def test_multi_target_takes_every_class_with_three_tenths(
    votes: Votes, expected: Targets | None
) -> None:
    assert targets(votes, "multi_target") == (expected and pytest.approx(expected))


def test_strict_majority_gives_labels_and_minus_one_where_there_is_none() -> None:
    votes = np.vstack(
        [
            row({"fear": 6, "neutral": 4}),
            row({"fear": 5, "neutral": 5}),
            row({"unknown": 9}),
            row({"neutral": 3, "fear": 2}),
        ]
    )
    labels, kept = strict_majority(votes)
    assert labels.tolist() == [6, -1, -1, 0]
    assert kept.tolist() == [True, False, False, True]


@pytest.mark.parametrize("mode", RULES)
def test_kept_rows_are_distributions_and_dropped_rows_zero(mode: str) -> None:
    votes = np.random.default_rng(0).multinomial(10, [0.1] * 10, size=500)
    votes[::2, 3] += 8
    found, kept = RULES[mode](votes)
    assert 0 < kept.sum() < 500
    np.testing.assert_allclose(found.sum(axis=1), kept)


PUBLISHED = [
    ("Training", "FER2013Train", 25_060, 25_057, 25_045, 28_389),
    ("PublicTest", "FER2013Valid", 3_199, 3_199, 3_191, 3_553),
    ("PrivateTest", "FER2013Test", 3_153, 3_153, 3_137, 3_546),
]


@pytest.fixture(scope="module")
def votes_by_usage(shared: Path) -> dict[str, list[NDArray[np.int64]]]:
    """Votes of the named rows, and of the images (the first row of each name)."""
    table = read_vote_table(shared / "data" / "fer2013new.csv")
    parts = {usage: [row for row in table if row.usage == usage] for usage, *_ in PUBLISHED}
    return {
        usage: [as_array([r for r in rows if r.name]), as_array(first_of_each_name(rows))]
        for usage, rows in parts.items()
    }


@pytest.mark.parametrize(("usage", "folder", "rows", "images", "repository", "soft"), PUBLISHED)
def test_published_counts_hold(
    shared: Path,
    votes_by_usage: dict[str, list[NDArray[np.int64]]],
    usage: str,
    folder: str,
    rows: int,
    images: int,
    repository: int,
    soft: int,
) -> None:
    of_rows, of_images = votes_by_usage[usage]
    labels = read_label_file(shared / "data" / "ferplus-labels" / folder / "label.csv")
    assert strict_majority(of_rows)[1].sum() == rows
    assert strict_majority(of_images)[1].sum() == images
    assert strict_majority(as_array(labels))[1].sum() == repository
    assert soft_targets(of_rows)[1].sum() == soft


@pytest.mark.parametrize(
    ("usage", "rows", "images"),
    [
        ("Training", 28_561, 28_558),
        ("PublicTest", 3_579, 3_579),
        ("PrivateTest", 3_574, 3_573),
    ],
)
def test_names_that_stand_twice_are_one_image(
    votes_by_usage: dict[str, list[NDArray[np.int64]]], usage: str, rows: int, images: int
) -> None:
    assert list(map(len, votes_by_usage[usage])) == [rows, images]
