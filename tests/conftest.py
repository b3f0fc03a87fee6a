"""Tiny real datasets, studies and run folders that many tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from moto.server import ThreadedMotoServer
from storage import CREDENTIALS, Bucket, Line
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gansynth.artifacts import publish
from gansynth.datasets import write_dataset
from gansynth.gans import ResidualConfig
from gansynth.modalities import ImageConfig
from gansynth.runs import Run
from gansynth.samples import Dataset, Samples
from gansynth.sections import EvaluationConfig, GenerationConfig, SourceConfig, SplitConfig
from gansynth.study import Study

LONGEST = (
    "test_end_to_end.py",
    "test_deployments.py",
    "test_library.py",
    "test_families.py",
    "test_command_line.py",
    "test_training.py",
    "test_tabular.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin, so that no process is left with one of them while the others are done."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture
def tiny_study() -> Study:
    """A whole study that runs in seconds."""
    return Study(
        name="tiny",
        seed=3,
        source=SourceConfig(path="nowhere"),
        split=SplitConfig(train_share=1.0),
        modality=ImageConfig(size=16),
        gan=ResidualConfig(kimg=0.64, batch_size=16, warmup_steps=5),
        generation=GenerationConfig(amount=12),
        evaluation=EvaluationConfig(repetitions=2, steps=20, batch_size=16, inner_steps=5),
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[[Samples, Samples], Run]:
    """Return a function that makes a run folder whose dataset has the given training and test rows."""

    def make(train: Samples, test: Samples) -> Run:
        run = Run(tmp_path / "run")
        both = Samples.concatenate([train, test])
        is_test = np.arange(len(both)) >= len(train)
        with publish(run.dataset, "ingest", {"rows": len(both)}, {}) as draft:
            write_dataset(draft.path, Dataset(both, is_test, np.arange(len(both))))
        return run

    return make


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of random weights of the right shapes for the Inception network."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patch:  # the constructor would download the real ones
        module = "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url"
        patch.setattr(module, lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        state = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"]).state_dict()
    # the default initialisation fades away over so many layers
    torch.save({name: tensor * 6**0.5 if tensor.ndim == 4 else tensor for name, tensor in state.items()}, path)
    return path


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket on it, with address and credentials in the environment."""
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    return Bucket(s3_server)


@pytest.fixture
def line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A bad line to it, which the environment names instead."""
    line = Line(bucket.server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    yield line
    line.close()
