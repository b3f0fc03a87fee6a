"""Studies from files: what may be written, and what a wrong line says."""

import contextlib
import json
from pathlib import Path

import pytest

from gansynth.errors import ArtifactError, GansynthError, StudyError
from gansynth.gans import MlpConfig, ResidualConfig
from gansynth.runs import Run
from gansynth.study_files import load_study, read_study, save_study

MINIMAL = 'name = "mine"\n[source]\npath = "pictures"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


def refusal(path: Path, *overrides: str) -> str:
    """Return the message with which a study is refused, after checking that it is one line."""
    with pytest.raises(StudyError) as caught:
        load_study(path, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), path.name)


def test_source_is_found_beside_the_study(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = write(tmp_path, MINIMAL)
    with contextlib.chdir(elsewhere):
        assert load_study(path).source.path == str(tmp_path / "pictures")
        assert load_study(path, ["source.path=here"]).source.path == str(elsewhere / "here")
        assert load_study(path, ["source.path=torchvision:MNIST"]).source.path == "torchvision:MNIST"
        assert load_study(path, [f"source.path={tmp_path}"]).source.path == str(tmp_path)
        weights = load_study(path, ["evaluation.inception_weights=w.pth"]).evaluation.inception_weights
        assert weights == str(elsewhere / "w.pth")


def test_overrides_are_toml_or_bare_words(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL + "[gan]\nkimg = 7\n")
    study = load_study(
        path,
        [
            "gan.kimg=200",
            "evaluation.arms=['real', 'gan']",
            "evaluation.ratios = [0, 0.3]",
            "evaluation.metric=macro_f1",
            "modality.flip=true",
            "source.licence=CC BY 4.0 = free",
        ],
    )
    assert study.gan.kimg == 200
    assert study.evaluation.arms == ("real", "gan")
    assert study.evaluation.ratios == (0, 0.3)
    assert study.modality.flip
    assert study.evaluation.metric == "macro_f1"
    assert study.source.licence == "CC BY 4.0 = free"


def test_kind_chooses_the_family(tmp_path: Path) -> None:
    assert isinstance(load_study(write(tmp_path, MINIMAL)).gan, ResidualConfig)
    study = load_study(write(tmp_path, MINIMAL + '[gan]\nkind = "mlp"\nwidth = 8\n'))
    assert isinstance(study.gan, MlpConfig)
    assert study.gan.width == 8
    assert isinstance(load_study(write(tmp_path, MINIMAL), ["gan.kind=mlp"]).gan, MlpConfig)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("[gan]\nkimg = -3", "study.toml: gan.kimg: must be greater than 0 (given: -3)"),
        ('[gan]\nkind = "mlp"\nkimg = -3', "study.toml: gan.kimg: must be greater than 0 (given: -3)"),
        ("[evaluation]\nratios = [0, 1.5]", "study.toml: evaluation.ratios.1: must be less than 1 (given: 1.5)"),
        (
            '[gan]\nkind = "residul"',
            (
                "study.toml: gan.kind: must be one of 'residual', 'mlp', 'dcgan', 'stylegan2', 'tabular' (given:"
                " 'residul'); did you mean 'residual'?"
            ),
        ),
        ("[gan]\nkimgs = 3", "study.toml: gan.kimgs: no such setting in kind 'residual'; did you mean 'kimg'?"),
        ("[evaluatoin]\nsteps = 3", "study.toml: evaluatoin: no such setting; did you mean 'evaluation'?"),
        (
            "[gan]\nprivacy = { noise = 1 }",
            "study.toml: gan.privacy.noise: no such setting; there are noise_multiplier, delta, max_grad_norm",
        ),
        (
            '[modality]\nlabel = "x"\ncolumns = [{ name = "a", kinds = "drop" }]',
            "study.toml: modality.columns.0.kinds: no such setting; did you mean 'kind'?",
        ),
        ("[evaluation]\nstep = 3", "study.toml: evaluation.step: no such setting; did you mean 'steps'?"),
        ("[compute]\nthreads = [1]", "study.toml: compute.threads: must be a valid integer (given: [1])"),
    ],
)
def test_wrong_settings_are_named_with_rule_and_value(tmp_path: Path, lines: str, message: str) -> None:
    assert refusal(write(tmp_path, f"{MINIMAL}{lines}\n")) == message


def test_setting_of_another_kind_is_refused_and_the_known_ones_are_listed(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, MINIMAL + '[gan]\nkind = "mlp"\npreset = "large"\n'))
    assert message.startswith("study.toml: gan.preset: no such setting in kind 'mlp'; there are kimg, ")
    assert message.endswith("width")


def test_section_that_is_no_section(tmp_path: Path) -> None:
    for section in ("gan", "evaluation"):
        message = refusal(write(tmp_path, f"{section} = 5\n{MINIMAL}"))
        assert message == f"study.toml: {section}: must be a section with settings inside (given: 5)"


def test_rules_across_settings(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, MINIMAL + '[evaluation]\narms = ["gan"]\n'))
    assert message.startswith("study.toml: evaluation: arms must include 'real'")
    flipping = '[gan]\naugmentation = ["flip"]\n'
    message = refusal(write(tmp_path, MINIMAL + flipping))
    assert message.startswith("study.toml: gan.augmentation may include 'flip' only if modality.flip")
    assert "given" not in message
    load_study(write(tmp_path, MINIMAL + flipping + "[modality]\nflip = true\n"))


def test_a_rule_that_an_override_breaks_names_it(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    message = refusal(path, "gan.loss=wasserstein", "gan.kimg=3", "seed=1")
    assert message.startswith("study.toml with --set gan.loss, gan.kimg: gan: loss 'wasserstein'")
    message = refusal(path, 'gan.augmentation=["flip"]', "seed=1")
    assert message.startswith("study.toml with --set gan.augmentation, seed: gan.augmentation may include 'flip'")


@pytest.mark.parametrize("value", ["inf", "nan"])
def test_numbers_are_finite(tmp_path: Path, value: str) -> None:
    message = refusal(write(tmp_path, f"{MINIMAL}[gan]\nkimg = {value}\n"))
    assert message.startswith("study.toml: gan.kimg: must be a finite number")


def test_misspelling_is_told_rather_than_what_it_leaves_missing(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, 'name = "mine"\n[source]\npth = "pictures"\n'))
    assert message == "study.toml: source.pth: no such setting; did you mean 'path'?"
    assert refusal(write(tmp_path, "seed = 1\n")) == "study.toml: name: is required; add it to the study"


def test_wrong_overrides_are_blamed_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    assert refusal(path, "gan.kimg=-3") == "--set: gan.kimg: must be greater than 0 (given: -3)"
    assert refusal(path, "gan.kimg") == "--set: 'gan.kimg' is no setting; write it like gan.kimg=200"
    assert refusal(path, "name.first=a") == "--set: name.first: 'name' is a single setting and has none inside"
    assert refusal(path, "gan.widht=3").startswith("--set: gan.widht: no such setting")


def test_long_values_are_shortened(tmp_path: Path) -> None:
    assert len(refusal(write(tmp_path, MINIMAL), f"seed={'a' * 5000}")) < 300


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    assert "study.toml: line 4, column 8: " in refusal(write(tmp_path, MINIMAL + "seed = = 3\n"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.toml")
    assert "directory" in refusal(tmp_path)
    binary = tmp_path / "study.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refusal(binary)


def test_saved_study_comes_back_the_same(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, MINIMAL + '[gan]\nkind = "mlp"\n'), ["scarcity.rare_classes=['a', 'b']"])
    run = Run(tmp_path / "run")
    run.root.mkdir()
    save_study(study, run.study_file)
    assert read_study(run) == study
    assert read_study(run, ["seed=9"]).seed == 9
    assert [path.name for path in run.root.iterdir()] == ["study.json"]


def test_folders_without_a_usable_study(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(ArtifactError, match="not a run folder"):
        read_study(run)
    run.study_file.write_text("{")
    with pytest.raises(ArtifactError, match="damaged"):
        read_study(run)
    run.study_file.write_text(json.dumps({"name": "mine", "source": {"path": "x"}, "colour": 1}))
    with pytest.raises(GansynthError, match=r"colour: no such setting"):
        read_study(run)
