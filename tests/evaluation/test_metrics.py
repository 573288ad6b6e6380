import numpy as np
import pytest

from mien.evaluation.metrics import (
    CalibrationBin,
    Estimate,
    Share,
    area_under_roc,
    calibration_bins,
    class_scores,
    divergence_to_votes,
    drawn_again,
    expected_calibration_error,
    f1_scores,
    macro_f1,
    score,
    share,
)

# Four faces and three classes, of which the third does not occur; the second face is mistaken.
PROBABILITY = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0]])
LABELS = np.array([0, 0, 1, 1])
SCORES = score(PROBABILITY, LABELS, ["a", "b", "c"])


# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_shares_have_wilsons_interval(hits: int, count: int, low: float, high: float) -> None:
    found = share(np.arange(count) < hits)
    assert found.value == hits / count
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.count == count


def test_the_interval_stays_within_0_and_1() -> None:
    assert share(np.zeros(3, dtype=bool)).low == 0
    assert share(np.ones(3, dtype=bool)).high == 1


def test_a_share_of_nothing_says_nothing() -> None:
    assert share(np.zeros(0, dtype=bool)) == Share(None, 0, 1, 0)


def test_accuracy_and_confusion_count_faces() -> None:
    assert SCORES.accuracy == share(np.array([True, False, True, True]))
    assert SCORES.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 0))


def test_classes_have_precision_recall_and_f1() -> None:
    a, b, c = SCORES.classes
    assert [one.label for one in SCORES.classes] == ["a", "b", "c"]
    assert [one.count for one in SCORES.classes] == [2, 2, 0]
    assert [one.precision.value for one in SCORES.classes] == [1, 2 / 3, None]
    assert [one.recall.value for one in SCORES.classes] == [0.5, 1, None]
    assert [one.f1.value for one in SCORES.classes[:2]] == pytest.approx([2 / 3, 4 / 5])
    assert SCORES.classes[2].f1.value is None
    assert (a.recall.count, b.recall.count, c.recall.count) == (2, 2, 0)
    assert (a.precision.count, b.precision.count, c.precision.count) == (1, 3, 0)


def test_no_interval_leaves_0_to_1() -> None:
    for count in range(1, 100):
        none, whole = (share(np.full(count, right)) for right in (False, True))
        assert 0 <= none.low < none.high < 1
        assert 0 < whole.low < whole.high <= 1


def test_a_class_that_is_answered_but_does_not_occur_is_not_in_macro_f1() -> None:
    assert SCORES.macro_f1.value == pytest.approx((2 / 3 + 4 / 5) / 2)
    always_c = class_scores(np.array([[0, 2], [0, 0]]), ["a", "c"])
    assert [(one.precision.value, one.f1.value) for one in always_c] == [(None, 0), (0, None)]


def test_contempt_is_left_out_of_the_second_macro_f1() -> None:
    scores = score(PROBABILITY, LABELS, ["a", "contempt", "c"])
    assert scores.macro_f1 == SCORES.macro_f1
    assert scores.macro_f1_without_contempt.value == scores.classes[0].f1.value
    assert SCORES.macro_f1_without_contempt == SCORES.macro_f1


def test_without_any_class_that_counts_there_is_no_macro_f1() -> None:
    assert macro_f1(np.array([[2, 0], [0, 3]]), np.array([False, False])).value is None


def test_drawing_again_keeps_the_number_of_faces_and_the_shares() -> None:
    confusion = np.array([[60, 20], [0, 20]])
    drawn = drawn_again(confusion)
    assert (drawn.sum(axis=(1, 2)) == 100).all()
    assert (drawn[:, 1, 0] == 0).all()
    np.testing.assert_allclose(drawn.mean(axis=0), confusion, atol=0.5)
    # A binomial count of 100 with the share .6 has a standard deviation of 4.9.
    assert drawn[:, 0, 0].std() == pytest.approx(np.sqrt(100 * 0.6 * 0.4), rel=0.05)
    np.testing.assert_array_equal(drawn, drawn_again(confusion))


def test_the_interval_of_f1_is_wilsons_of_hits_among_all_faces_that_are_concerned() -> None:
    found = class_scores(np.array([[60, 20], [0, 20]]), ["a", "b"])[1].f1
    hits = share(np.arange(40) < 20)
    assert found.value == pytest.approx(40 / 60)
    assert found.low == pytest.approx(2 * hits.low / (1 + hits.low))
    assert found.high == pytest.approx(2 * hits.high / (1 + hits.high))


def test_intervals_of_f1_hold_it_also_for_classes_of_five_faces() -> None:
    generator = np.random.default_rng(0)
    for shares in ([0.94, 0.01, 0.01, 0.04], [0.95, 0, 0.001, 0.049], [0.93, 0.02, 0.04, 0.01]):
        f1 = 2 * shares[3] / (2 * shares[3] + shares[1] + shares[2])
        drawn = generator.multinomial(100, shares, 500).reshape(-1, 2, 2)
        found = [class_scores(one, ["a", "b"])[1].f1 for one in drawn if one[1].any()]
        assert np.mean([one.low <= f1 <= one.high for one in found]) > 0.9


def test_the_interval_of_the_mean_is_that_of_faces_drawn_again() -> None:
    confusion = np.array([[60, 20], [0, 20]])
    labels, answers = (
        np.repeat(places, confusion.ravel()) for places in ([0, 0, 1, 1], [0, 1] * 2)
    )
    rows = np.random.default_rng(1).integers(0, 100, (2000, 100))
    f1 = [
        2
        * ((labels == place) & (answers == place))[rows].sum(axis=1)
        / ((labels == place)[rows].sum(axis=1) + (answers == place)[rows].sum(axis=1))
        for place in (0, 1)
    ]
    found = macro_f1(confusion, np.array([True, True]))
    expected = np.quantile(np.mean(f1, axis=0), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx(expected, abs=0.02)


def test_the_interval_of_the_mean_holds_95_of_100_draws() -> None:
    confusion = np.array([[60, 20], [0, 20]])
    found = macro_f1(confusion, np.array([True, True]))
    drawn = f1_scores(drawn_again(confusion)).mean(axis=1)
    assert ((found.low <= drawn) & (drawn <= found.high)).mean() == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize(
    ("higher", "lower", "expected"),
    [
        ([2, 3], [0, 1], 1),
        ([0, 1], [2, 3], 0),
        ([1, 1], [1], 0.5),
        ([3, 1], [2, 1], (1 + 1 + 0 + 0.5) / 4),
        ([], [1], None),
        ([1], [], None),
    ],
)
def test_area_under_roc_is_how_often_one_exceeds_the_other(
    higher: list[float], lower: list[float], expected: float | None
) -> None:
    found = area_under_roc(np.array(higher, dtype=float), np.array(lower, dtype=float))
    assert found == expected


def test_brier_score_is_the_mean_squared_distance() -> None:
    # (.04 + .01 + .01), (.49 + .36 + .01), (.04 + .09 + .01), (.01 + .01 + 0)
    assert SCORES.brier == pytest.approx((0.06 + 0.86 + 0.14 + 0.02) / 4)


def test_negative_log_likelihood_is_of_the_labels_probability() -> None:
    assert SCORES.negative_log_likelihood == pytest.approx(-np.log(0.8 * 0.3 * 0.7 * 0.9) / 4)


def test_negative_log_likelihood_stays_finite() -> None:
    sure_and_wrong = score(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"])
    assert sure_and_wrong.negative_log_likelihood == pytest.approx(300 * np.log(10))


def test_bins_gather_confidence_and_accuracy() -> None:
    confidence = np.array([0.61, 0.65, 0.99, 1.0, 0.0])
    bins = calibration_bins(confidence, np.array([True, False, True, True, False]))
    assert len(bins) == 15
    assert {place: one.count for place, one in enumerate(bins) if one.count} == {0: 1, 9: 2, 14: 2}
    assert bins[1] == CalibrationBin(0, 0, 0)
    assert (bins[9].confidence, bins[9].accuracy) == pytest.approx((0.63, 0.5))
    assert (bins[14].confidence, bins[14].accuracy) == pytest.approx((0.995, 1))
    assert expected_calibration_error(bins) == pytest.approx((2 * 0.13 + 2 * 0.005) / 5)


def test_calibration_error_is_of_the_confidence() -> None:
    # Every face is alone in its bin: .8 and .7 and .9 right, .6 wrong.
    assert SCORES.calibration_error == pytest.approx((0.2 + 0.6 + 0.3 + 0.1) / 4)
    assert SCORES.calibration_error == expected_calibration_error(SCORES.bins)


def test_calibration_error_of_no_faces_is_zero() -> None:
    assert expected_calibration_error(calibration_bins(np.zeros(0), np.zeros(0, dtype=bool))) == 0


@pytest.mark.parametrize(
    ("targets", "probability", "expected"),
    [
        ([[0.25, 0.75]], [[0.25, 0.75]], 0),
        ([[1, 0]], [[0.25, 0.75]], np.log(4)),
        ([[0.5, 0.5]], [[0.25, 0.75]], np.log(4 / 3) / 2),
        ([[1, 0], [0.5, 0.5]], [[0.25, 0.75]] * 2, (np.log(4) + np.log(4 / 3) / 2) / 2),
    ],
)
def test_divergence_is_from_the_votes_to_the_answer(
    targets: list[list[float]], probability: list[list[float]], expected: float
) -> None:
    found = divergence_to_votes(np.array(targets), np.array(probability))
    assert found == pytest.approx(expected, abs=1e-12)


def test_classes_without_faces_are_left_out_of_intervals() -> None:
    flawless = np.diag([100, 100, 3, 0])
    occurs = np.array([True, True, True, False])
    assert macro_f1(flawless, occurs) == Estimate(1.0, 1.0, 1.0)
    *_, rare, absent = class_scores(flawless, ("a", "b", "c", "d"))
    assert rare.f1.value == 1.0
    assert rare.f1.high == pytest.approx(1.0)
    assert 0.5 < rare.f1.low < 0.7  # 2q / (1 + q) of .44, Wilson's limit for three of three
    assert absent.f1.value is None
    mixed = np.array([[90, 10, 0], [20, 80, 0], [0, 0, 0]])
    whole = macro_f1(mixed, np.array([True, True, False]))
    assert whole.value is not None
    assert 0.75 < whole.low < whole.value < whole.high < 0.95


def test_a_class_that_draws_may_miss_has_an_interval_of_the_others() -> None:
    # Of 101 faces drawn again, none is the rare one in about every third draw.
    found = macro_f1(np.array([[100, 0], [0, 1]]), np.array([False, True]))
    assert found == Estimate(1.0, 1.0, 1.0)
