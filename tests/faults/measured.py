"""What a piece of code takes at most, in a process of its own."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

FRAME = """
import gc, json, re, sys
from pathlib import Path
{setup}
grown = []
for item in sys.argv[1:]:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    held = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    before = held()
{code}
    grown.append((held() - before) / 1024)
print(json.dumps(grown))
"""


def peak_growth_mb(setup: str, code: str, items: Sequence[str | Path]) -> list[float]:
    """Return by how many MiB the resident memory grows at most while `code` runs with each `item`. Linux only."""
    script = FRAME.format(setup=textwrap.dedent(setup), code=textwrap.indent(textwrap.dedent(code), "    "))
    done = subprocess.run([sys.executable, "-c", script, *items], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown: list[float] = json.loads(done.stdout)
    return grown
