import threading

import pytest

from mien.workers import Workers


def test_what_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.workers.CLOSING_S", 0.1)
    has_begun, may_end = threading.Event(), threading.Event()

    def hang() -> bool:
        has_begun.set()
        return may_end.wait()

    workers = Workers(1)
    hanging, waiting = workers.submit(hang), workers.submit(sum, [1, 2])
    assert has_begun.wait(60)
    workers.close()
    assert not hanging.done()
    may_end.set()
    assert hanging.result() is True
    assert waiting.cancelled()


def test_an_error_is_raised_where_the_result_is_asked_for() -> None:
    workers = Workers(2)
    jobs = [workers.submit(int, text) for text in ("1", "one", "3")]
    assert jobs[0].result() + jobs[2].result() == 4
    with pytest.raises(ValueError, match="invalid literal"):
        jobs[1].result()
    workers.close()
