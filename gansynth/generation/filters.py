"""Which candidates of a class are kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.neighbors import NearestNeighbors

from gansynth.checkpoints import TrainedModel
from gansynth.generation.sampler import Candidates, Floats
from gansynth.samples import Indices, Values

# rows whose distance is below this share of their norm differ by rounding only
SAME_ROW = 1e-5

RANKINGS: dict[str, Callable[[Candidates], Floats]] = {
    "teacher": lambda candidates: candidates.agreement,
    "discriminator": lambda candidates: cast(Floats, candidates.logits),
}
"""What scores a candidate; higher is better."""


class CopyDetector:
    """Tells which samples are near copies of training rows, in the teacher's embedding.

    A sample is one if it lies nearer to some training row than the rows of that row's class ever lie to each other,
    duplicates aside.
    """

    def __init__(self, model: TrainedModel) -> None:
        self.embed = model.teacher.embed
        self.classes = []
        for label in np.unique(model.training_labels):
            rows = model.training_embeddings[model.training_labels == label].astype(np.float64)
            search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows)
            self.classes.append((search, _smallest_gap(search, rows)))

    def find(self, values: Values) -> npt.NDArray[np.bool_]:
        """Return, for samples as stored, bool of shape (N,): true for near copies."""
        embedded = self.embed(values).astype(np.float64)
        copies = np.zeros(len(embedded), dtype=np.bool_)
        for search, gap in self.classes:
            copies |= search.kneighbors(embedded)[0][:, 0] < gap
        return copies


def select(
    candidates: Candidates, wanted: int, filters: Sequence[str], detector: CopyDetector | None
) -> tuple[Candidates, Counter[str]]:
    """Keep the best `wanted` candidates, or fewer where not as many pass.

    Near copies go first, if there is a detector. The others are ranked by each filter in RANKINGS, the best
    first, and the smallest mean ranks are kept; ties go to the smaller candidate number.

    Returns:
        The kept candidates in the order of their numbers, and how many each filter rejected. A candidate that
        ranks too low counts for the filter that ranked it lowest, so kept and rejected add up to all.
    """
    copies = detector.find(candidates.values) if detector else np.zeros(len(candidates), dtype=np.bool_)
    accepted = np.flatnonzero(~copies)
    rejected = Counter({"distance": int(copies.sum())} if detector else {})
    names = [name for name in filters if name in RANKINGS]
    if not names:
        return candidates.take(accepted[:wanted]), rejected
    ranks = np.stack([rankdata(-RANKINGS[name](candidates)[accepted]) for name in names])
    order = np.argsort(ranks.mean(0), kind="stable")
    rejected.update(dict.fromkeys(names, 0))
    rejected.update(names[worst] for worst in ranks[:, order[wanted:]].argmax(0))
    kept: Indices = np.sort(accepted[order[:wanted]])
    return candidates.take(kept), rejected


def _smallest_gap(search: NearestNeighbors, rows: npt.NDArray[np.float64]) -> float:
    """Return the smallest distance of a row to its nearest neighbour; duplicates of a row do not count."""
    same = SAME_ROW * float(np.linalg.norm(rows, axis=1).mean())
    distances = search.kneighbors()[0][:, 0]
    return float(distances[distances > same].min()) if (distances > same).any() else same
