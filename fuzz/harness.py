"""One target under atheris: `python -m fuzz.harness TARGET CORPUS [FLAG OF LIBFUZZER ...]`, in atheris's environment.

Valid bytes go to the folder CORPUS, which exists, and what atheris finds worth keeping joins them.
"""

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["gansynth"]):
    from fuzz.targets import TARGETS, feed


def main() -> None:
    """Fuzz until a flag says enough, or something is found."""
    name, corpus = sys.argv[1:3]
    target = TARGETS[name]
    for number, data in enumerate(target.seeds()):
        Path(corpus, f"seed-{number}").write_bytes(data)
    with TemporaryDirectory() as place:
        target.prepare(Path(place))
        warnings.simplefilter("ignore")

        def test(data: bytes) -> None:
            feed(target, data, Path(place))

        atheris.Setup([sys.argv[0], *sys.argv[2:]], test)
        atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main()
