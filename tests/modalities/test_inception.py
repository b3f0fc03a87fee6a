from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gansynth.errors import StudyError
from gansynth.modalities.image import Inception

CPU = torch.device("cpu")


def test_grey_images_are_embedded_as_their_rgb_copies_one_by_one_or_together(inception_weights: Path) -> None:
    embed = Inception(inception_weights, CPU).embed
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), dtype=np.uint8)
    features = embed(images)
    assert features.shape == (3, 2048)
    np.testing.assert_allclose(embed(images.repeat(3, axis=3)), features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(embed(images[1:2])[0], features[1], rtol=1e-3, atol=1e-4)
    assert np.abs(features[0] - features[1]).max() > 1e-3


def test_images_reach_the_network_in_the_layout_it_wants(inception_weights: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)
    network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(inception_weights))
    (expected,) = network(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    np.testing.assert_allclose(Inception(inception_weights, CPU).embed(images), expected.numpy(), rtol=1e-4, atol=1e-5)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run by reading a file",)


def test_a_file_that_is_no_weights_is_refused_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    trap, text, other, bare = (tmp_path / name for name in ("trap.pth", "text.pth", "other.pth", "bare.pth"))
    torch.save(torch.zeros(3), bare)
    torch.save({"weights": Trap()}, trap)
    text.write_text("no weights")
    torch.save({"fc.weight": torch.zeros(2)}, other)
    for path in (trap, text, other, bare, tmp_path / "missing.pth"):
        with pytest.raises(StudyError, match=r"^evaluation\.inception_weights: .*\.pth: ") as caught:
            Inception(path, CPU)
        assert "\n" not in str(caught.value)
    assert not capsys.readouterr().out
