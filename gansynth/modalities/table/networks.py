"""Networks that classify the rows of tables."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansynth.errors import StudyError
from gansynth.modalities.base import EmbeddingNetwork, Shape
from gansynth.modalities.table.custom import build_custom, is_custom
from gansynth.modalities.table.estimators import ESTIMATORS

MLP = "mlp"
WIDTH = 64
DROPOUT = 0.1


class Mlp(EmbeddingNetwork):
    """Two hidden layers from an encoded row to logits."""

    def __init__(self, shape: Shape, n_classes: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(sum(shape), WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, n_classes)

    def embed(self, inputs: Tensor) -> Tensor:
        """Map encoded rows (N, D) to features (N, 64)."""
        hidden = F.dropout(F.silu(self.first(inputs)), DROPOUT, self.training)
        return F.silu(self.second(hidden))

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(inputs))
        return logits


def build_classifier(name: str, shape: Shape, n_classes: int) -> EmbeddingNetwork:
    """Return an untrained network that maps encoded rows to logits and has `embed`.

    Raises:
        StudyError: There is no network of this name.
    """
    if name != MLP:
        raise StudyError(f"evaluation.classifier: no classifier is called {name!r}; use {_known()}")
    return Mlp(shape, n_classes)


def check_classifier(name: str, shape: Shape, n_classes: int) -> None:
    """Find out whether there is a classifier of this name; all take any table.

    Raises:
        StudyError: There is none, or it is a user's own and cannot be used.
    """
    if is_custom(name):
        build_custom(name, seed=0)
    elif name not in ESTIMATORS:
        with torch.device("meta"):
            build_classifier(name, shape, n_classes)


def _known() -> str:
    return ", ".join([*ESTIMATORS, MLP]) + " or package.module:Class"
