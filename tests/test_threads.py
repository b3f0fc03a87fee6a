import threading
import time
from collections.abc import Iterator

import pytest

from gansynth.threads import ahead, in_threads


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slow_square(number: int) -> int:
        time.sleep(0.01 if number == 0 else 0)
        return number**2

    assert in_threads(slow_square, range(5), threads) == [0, 1, 4, 9, 16]


def test_the_next_item_is_made_while_this_one_is_used_and_no_more() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    coming = ahead(items())
    assert next(coming) == 0
    assert next(coming) == 1
    assert third.wait(timeout=10)
    time.sleep(0.05)
    assert made == [0, 1, 2]
    assert list(coming) == [2, 3]


def test_an_error_reaches_the_user_of_the_items_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="no more"):
        next(coming)
