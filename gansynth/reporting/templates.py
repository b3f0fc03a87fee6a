"""The templates of the pages, and how they escape what they are given."""

import base64
import hashlib
from importlib import resources
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


class Asset(NamedTuple):
    """A style sheet or script that a page carries inside, and the digest by which its content policy admits it."""

    text: Markup
    digest: str


def environment() -> Environment:
    """Return the environment of all templates: everything is escaped, and a missing name is an error."""
    return Environment(
        loader=PackageLoader("gansynth", "reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> Asset:
    """Return a file beside the templates."""
    text = resources.files("gansynth.reporting").joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Asset(Markup(text), digest)  # noqa: S704 - our own file
