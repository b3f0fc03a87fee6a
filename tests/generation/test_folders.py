import unicodedata
from pathlib import Path

import pytest

from gansynth.generation.folders import folder_names

HOSTILE = [
    "../../x",
    "/etc/passwd",
    "CON",
    "con",
    "com1",
    "COM\u00b9",
    "nul\x00byte",
    "a" * 300,
    "é" * 60,
    unicodedata.normalize("NFC", "café"),
    unicodedata.normalize("NFD", "café"),
    "🦉",
    "",
    ".",
    "..",
    " ",
    "trailing.",
    "Cat",
    "cat",
    "=cmd|' /C calc'!A0",
    "-1+1",
    "new\nline",
    "test",
    "test-set 0",
    "None",
    "manifest.json",
    "a*b?c[d]",
    "C:\\x",
    "\udcff",
    "owl~3",
    "\u202egnp.exe",
]


def test_simple_names_stay_as_they_are() -> None:
    names = ["cat", "T-shirt", "Great Dane", "7", "鳥", "snake_bite", "Ångström"]
    assert folder_names(names) == names


def test_other_names_stay_readable() -> None:
    assert folder_names(["T-shirt/top", "St. Bernard"]) == ["T_shirt_top~0", "St_Bernard~1"]


def test_hostile_names_become_distinct_harmless_folders(tmp_path: Path) -> None:
    folders = folder_names(HOSTILE)
    comparable = {unicodedata.normalize("NFKD", folder).casefold() for folder in folders}
    assert len(comparable) == len(HOSTILE)
    for folder in folders:
        (tmp_path / folder).mkdir()
        assert (tmp_path / folder).resolve().parent == tmp_path.resolve()
        assert len(folder.encode()) < 200
        assert folder.isprintable()
        assert not set(folder) & set('<>:"/\\|?*[].')
        assert folder[0] not in "=+-@ "
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)


@pytest.mark.parametrize("names", [["Cat", "cat"], ["straße", "STRASSE"], ["\uff41", "a"]])
def test_names_that_some_file_system_confuses_are_kept_apart(names: list[str]) -> None:
    assert folder_names(names)[0].endswith("~0")
    assert folder_names(names)[1].endswith("~1")
