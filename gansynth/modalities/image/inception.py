"""The Inception network of published Fréchet distances, from a weights file that the user has."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from gansynth.errors import StudyError

NAME = "inception-v3-compat"
FEATURES = "2048"
BATCH = 32
EXPECTED = {"Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3), "Mixed_7c.branch_pool.conv.weight": (192, 2048, 1, 1)}


class Inception:
    """Embeds images by the pool features of Inception v3 (Heusel et al. 2017), as torch-fidelity has it."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        """Read the weights.

        Raises:
            StudyError: The file is not there, or is no weights file of this network.
        """
        # slow to import, and without these weights not needed
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: PLC0415

        check_weights(weights)
        self.network = FeatureExtractorInceptionV3(NAME, [FEATURES], str(weights)).to(device)
        self.device = device

    @torch.inference_mode()
    def embed(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map images, uint8 (N, height, width, 1 or 3), to features (N, 2048)."""
        outputs = []
        for start in range(0, len(values), BATCH):
            images = torch.from_numpy(values[start : start + BATCH]).to(self.device).permute(0, 3, 1, 2)
            (features,) = self.network(images.expand(-1, 3, -1, -1))
            outputs.append(features.float().cpu())
        return torch.cat(outputs).numpy()


def check_weights(path: Path) -> None:
    """Make sure that a file holds the weights of this network, and nothing that would run when it is read.

    Raises:
        StudyError: It does not, or is not there.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged bytes it warns before it refuses them
            held = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from None
    except Exception:  # noqa: BLE001 torch's reader raises all sorts of errors on damaged bytes
        raise _refused(path, "is no file of weights") from None
    # a weight of the first layer and one of the last that is used
    tensors = held if isinstance(held, dict) else {}
    shapes = [tuple(getattr(tensors.get(name), "shape", ())) for name in EXPECTED]
    if shapes != list(EXPECTED.values()):
        raise _refused(path, "holds no weights of the Inception network")


def _refused(path: Path, reason: str) -> StudyError:
    return StudyError(
        f"evaluation.inception_weights: {path}: {reason}; give the file pt_inception-2015-12-05-6726825d.pth that"
        " torch-fidelity publishes, or leave the setting out"
    )
