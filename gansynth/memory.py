"""Running out of memory, as torch and numpy tell it, and other troubles of the machine."""

import errno

WORDS = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "alloc_failed",
)
"""What torch says of the processor's memory and cuBLAS of a GPU's, in a RuntimeError."""
OF_MACHINE = {
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
"""Numbers of system errors that tell of memory, open files, a disk or a file system, not of what was to be read."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out: of the machine, or of its GPU."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # told by its name, so that what only reads manifests need not import torch
    name, text = type(error).__name__, str(error).lower()
    return name == "OutOfMemoryError" or (isinstance(error, RuntimeError) and any(words in text for words in WORDS))


def is_of_machine(error: BaseException) -> bool:
    """Tell whether an error is the machine's, so that the same work may succeed at another time or elsewhere."""
    if is_out_of_memory(error):
        return True
    # of memory, Pillow's decoders tell by words alone
    return isinstance(error, OSError) and (error.errno in OF_MACHINE or "out of memory" in str(error).lower())
