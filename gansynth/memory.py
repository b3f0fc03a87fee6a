"""Running out of memory, as torch and numpy tell it."""

WORDS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "out of memory", "bad_alloc")
"""What torch says of the processor's memory, in a RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out: of the machine, or of its GPU."""
    if isinstance(error, MemoryError):
        return True
    # told by its name, so that what only reads manifests need not import torch
    name, text = type(error).__name__, str(error).lower()
    return name == "OutOfMemoryError" or (isinstance(error, RuntimeError) and any(words in text for words in WORDS))
