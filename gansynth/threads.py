"""Work on several threads of one process: for what lets go of Python's lock, as torch, zlib and Pillow do."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Result = TypeVar("Result")


def in_threads(function: Callable[[T], Result], items: Iterable[T], threads: int) -> list[Result]:
    """Return what a function gives for each item, in their order, computed on this many threads."""
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, while the next one is already being made on a thread of its own."""
    end = object()
    source = iter(items)
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, source, end)
        while (item := coming.result()) is not end:
            coming = maker.submit(next, source, end)
            yield item  # type: ignore[misc]  # whatever is not the end is an item
