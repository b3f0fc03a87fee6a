"""A tiny study whose clean run is what every interrupted one has to come to."""

from functools import partial

import pytest
from children import check_tidy, digests, in_child
from cleanruns import Clean, run_all
from shapes import write_pictures

from gansynth.study import Study


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """A clean run, made in a child process too."""
    folder = tmp_path_factory.mktemp("clean")
    write_pictures(folder / "source", 12)
    study = Study.model_validate(
        {
            "name": "tiny",
            "seed": 3,
            "source": {"path": str(folder / "source"), "near_duplicate_distance": -1},
            "modality": {"size": 8, "classical": ["affine"]},
            "gan": {"kind": "mlp", "width": 16, "kimg": 0.64, "batch_size": 16, "warmup_steps": 2},
            "generation": {"amount": 8, "shard_size": 5},
            "evaluation": {
                "repetitions": 2,
                "arms": ["real", "gan"],
                "steps": 4,
                "batch_size": 16,
                "inner_steps": 2,
                "ratios": [0.5],
            },
            "compute": {"accelerator": "cpu"},
        }
    )
    ended = in_child(partial(run_all, study, folder / "run"))
    assert ended.well, ended
    check_tidy(folder / "run")
    return Clean(study, folder / "run", digests(folder / "run"))
