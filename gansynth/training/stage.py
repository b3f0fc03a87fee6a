"""The training stage: for each repetition, a generator and a teacher fitted on that repetition's training rows only."""

import gc
import hashlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from gansynth import processes
from gansynth.artifacts import is_current, library_versions, publish
from gansynth.checkpoints import Networks, save_model
from gansynth.datasets import load_dataset
from gansynth.devices import launch, make_training_fabric
from gansynth.errors import ArtifactError
from gansynth.modalities import MODALITIES
from gansynth.modalities.base import Codec
from gansynth.progress import Progress
from gansynth.requests import dataset_parent, model_request
from gansynth.runs import GUARANTEE_FILE, METRICS_FILE, SETBACKS_FILE, Run, repetition_label
from gansynth.samples import Samples
from gansynth.seeding import derive_seed, seed_index, torch_generator
from gansynth.splits import draw_split
from gansynth.stopping import TERMINATED, stopping_postponed
from gansynth.study import Study
from gansynth.training.checks import check_sound, check_study, most_setbacks
from gansynth.training.health import diversity, ended_alike, trouble, variations
from gansynth.training.loop import AdversarialLoop, Players, build_players
from gansynth.training.parts import more_parts
from gansynth.training.private import PrivateLoop, guarantee_of
from gansynth.training.resume import Counters, load_state, save_state
from gansynth.training.teacher import fit_teacher

STATE_FILE = "state.safetensors"
# logged lines and saved states of a training; each saved state falls on a logged line
LOGGED_POINTS = 40
SAVED_POINTS = 10
RATE_AFTER_SETBACK = 0.5
GRID_COLUMNS = 8

log = logging.getLogger(__name__)


def train(study: Study, run: Run, repetitions: Sequence[int | None] | None = None) -> None:
    """Train the generators of all repetitions and the one that is delivered, or of the given ones."""
    everything: list[int | None] = [*range(study.evaluation.repetitions), None]
    for repetition in everything if repetitions is None else repetitions:
        train_repetition(study, run, repetition)


def train_repetition(study: Study, run: Run, repetition: int | None) -> Path:
    """Train the generator and the teacher of one repetition (None: the delivered one) and publish them.

    Resumes from the state of an interrupted training; returns at once if the model is there already. Every process
    that torchrun has started calls this; all but the first return when the generator is trained.

    Raises:
        ArtifactError: The dataset is not there, the model cannot be written, or processes do not share the run folder.
        StudyError: The machine lacks what the study asks for, or a batch cannot be divided evenly among processes.
        TrainingError: Training goes wrong again and again, or one of its processes failed.
        ResourceError: Memory runs out, even with batches computed in parts.
    """
    directory = run.model(repetition)
    request, parents = model_request(study, repetition), dataset_parent(run)
    work = directory.with_name(".model.resume")
    if is_current(directory, request, parents):
        shutil.rmtree(work, ignore_errors=True)  # of a training that was killed just after its end
        return directory
    dataset = load_dataset(run.dataset)
    rows = draw_split(dataset, study, repetition).train
    samples, groups = dataset.samples.take(rows), dataset.groups[rows]
    del dataset  # training holds its own rows, once
    asked = [request, parents, library_versions()]
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    job = _Job(study, samples, repetition, work, key, run.progress)
    fabric = make_training_fabric(study.compute)
    check_study(study, samples.class_names, len(samples), job.codec.shape, fabric.world_size)
    fit = partial(_fit_gan, job=job)
    if not fabric.is_global_zero:
        launch(fabric, study.compute, fit)
        return directory
    with publish(directory, "train", request, parents) as draft:
        draft.seconds = job.restore()[1].seconds  # of an interrupted training
        launch(fabric, study.compute, fit)
        players, counters = job.restore()
        check_sound(study, counters)
        teacher = fit_teacher(study, samples, groups, seed_index(repetition))
        networks = Networks(players.average, players.discriminator, teacher.classifier)
        save_model(draft.path, study, networks, teacher.policy, teacher.losses, samples, rows)
        lines = [json.dumps(line) + "\n" for line in counters.history]
        (draft.path / METRICS_FILE).write_text("".join(lines))
        for grid in sorted(work.glob("grid-*.png")):
            (draft.path / grid.name).write_bytes(grid.read_bytes())
        if guarantee := guarantee_of(study.gan, len(samples), counters.taken):
            (draft.path / GUARANTEE_FILE).write_text(guarantee.model_dump_json(indent=1))
        if counters.setbacks:
            (draft.path / SETBACKS_FILE).write_text(json.dumps(counters.setbacks, indent=1))
        draft.counts.update(rows=len(samples), steps=counters.step, setbacks=len(counters.setbacks))
        draft.counts["ended_alike"] = int(ended_alike(counters.history))
    shutil.rmtree(work, ignore_errors=True)
    log.info("%s: trained on %d rows", repetition_label(repetition), len(samples))
    return directory


@dataclass(frozen=True)
class _Job:
    """One adversarial training; every process of it gets this. `key` tells its saved state from another's."""

    study: Study
    samples: Samples
    repetition: int | None
    work: Path
    key: str
    progress_dir: Path

    @property
    def seed(self) -> int:
        return derive_seed(self.study.seed, "gan", seed_index(self.repetition))

    @cached_property
    def codec(self) -> Codec:
        return MODALITIES[self.study.modality.kind].codec.fit(self.samples, self.study.modality)

    def restore(self) -> tuple[Players, Counters]:
        """Return the players and counters as last saved, or new ones."""
        gan, n_classes = self.study.gan, len(self.samples.class_names)
        players = build_players(gan, gan.kind, self.codec.shape, n_classes, self.seed)
        return players, load_state(self.work / STATE_FILE, players, self.key, counted=gan.privacy is not None)


def _fit_gan(fabric: Fabric, job: _Job) -> None:
    """Train to the end, saving the state on the way; the last state is the result.

    Where training goes wrong, it is rolled back to the last state that was sound and goes on at a lower learning rate,
    but only so many times. Where memory runs out, it goes on from there with batches in parts. Training with
    differential privacy does neither.
    """
    torch.set_num_threads(job.study.compute.threads)  # Fabric takes others in processes that it starts
    job.work.mkdir(parents=True, exist_ok=True)
    if fabric.is_global_zero:
        for half in job.work.glob(".tmp*"):  # safetensors was killed amid writing it
            half.unlink()
    players, counters = job.restore()
    parts = 1
    while len(counters.setbacks) <= most_setbacks(job.study):
        try:
            stopped = _train_while_sound(fabric, job, players, counters, parts)
        except (MemoryError, RuntimeError) as error:
            parts = more_parts(job.study, fabric, parts, error)
            stopped = _Stopped("", counters.seconds)
        if stopped is None:
            return
        players, counters = _roll_back(fabric, job, stopped, parts)


def _roll_back(fabric: Fabric, job: _Job, stopped: "_Stopped", parts: int) -> tuple[Players, Counters]:
    """Return players and counters as last saved; if training went wrong, with that noted among the setbacks."""
    gc.collect()  # networks that were set up refer to one another in circles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    players, counters = job.restore()
    label = repetition_label(job.repetition)
    if not stopped.reason:
        size = job.study.gan.batch_size
        log.warning(
            "%s: memory ran out; goes on from step %d with each batch of %d samples in %d parts, which changes no more"
            " than rounding",
            *(label, counters.step, size, parts),
        )
        counters.seconds = stopped.seconds
        return players, counters
    if fabric.is_global_zero:
        counters.setbacks.append(stopped.reason)
        log.warning("%s: %s; goes on from step %d", label, stopped.reason, counters.step)
        counters.seconds = stopped.seconds  # the time limit counts what is trained again
        save_state(job.work / STATE_FILE, players, counters, job.key)
    fabric.barrier()
    return job.restore()


class _Stopped(NamedTuple):
    """Why and where training went wrong, or nothing if memory ran out, and how many seconds had been spent by then."""

    reason: str
    seconds: float


def _train_while_sound(fabric: Fabric, job: _Job, players: Players, counters: Counters, parts: int) -> _Stopped | None:
    """Run the adversarial loop from the last saved state; return what stopped it, nothing at its end.

    Each batch is computed in so many parts.
    """
    study = job.study
    if fabric.broadcast(counters.step) != counters.step:
        raise ArtifactError(
            f"{job.work}: another process has its state elsewhere; put the run folder where all machines share it"
        )
    if counters.step == 0 and not counters.setbacks and fabric.is_global_zero:
        _begin(job, players, counters)
    loop = _build_loop(job, players, fabric, parts)
    loop.rate_share = RATE_AFTER_SETBACK ** len(counters.setbacks)
    looks = fabric.is_global_zero and study.gan.privacy is None  # how much real rows vary would be told without noise
    if study.gan.privacy is not None:
        _save(loop, job, counters)
    real = variations(loop.values, job.samples.labels) if looks else {}
    started, earlier = time.monotonic(), counters.seconds
    label = f"train {repetition_label(job.repetition)}"
    shown = Progress(job.progress_dir / f"{label.replace(' ', '-')}.json", label, loop.total_steps)
    with (
        shown if fabric.is_global_zero else nullcontext() as progress,
        stopping_postponed() as asked_to_stop,
    ):
        while counters.step < loop.total_steps:
            metrics = loop.step(counters.step)
            counters.step += 1
            if progress:
                progress.update(counters.step)
            counters.seconds = earlier + time.monotonic() - started
            last = counters.step == loop.total_steps or _out_of_time(fabric, study, counters)
            if last or counters.step % _every(loop, LOGGED_POINTS) == 0:
                counters.history.append(_log_line(metrics, counters, study))
                saved = last or counters.step % _every(loop, SAVED_POINTS) == 0
                if found := _take_stock(loop, job, counters, real, saved=saved):
                    return _Stopped(found, counters.seconds)
            if last:
                break
            if asked_to_stop() and fabric.is_global_zero:
                _save_if_finite(loop, job, counters, metrics)
                sys.exit(TERMINATED)
    return None


def _begin(job: _Job, players: Players, counters: Counters) -> None:
    """Save the state of a training that begins, and remove what one with other settings has left."""
    save_state(job.work / STATE_FILE, players, counters, job.key)
    for leftover in job.work.iterdir():
        if leftover.name != STATE_FILE:
            leftover.unlink()


def _build_loop(job: _Job, players: Players, fabric: Fabric, parts: int) -> AdversarialLoop:
    gan = job.study.gan
    if gan.privacy is None:
        return AdversarialLoop(gan, players, job.samples, job.codec, fabric, job.seed, parts)
    return PrivateLoop(gan, players, job.samples, job.codec, fabric, job.seed)


def _save(loop: AdversarialLoop, job: _Job, counters: Counters) -> None:
    """Save the state.

    A private training counts the steps until the next time as taken now, since it may be killed before.
    """
    if isinstance(loop, PrivateLoop):
        counters.taken += _until_saved(loop, counters.step)
    save_state(job.work / STATE_FILE, loop.players, counters, job.key)


def _take_stock(loop: AdversarialLoop, job: _Job, counters: Counters, real: Mapping[int, float], *, saved: bool) -> str:
    """Judge training by its log, with a look at its samples if it is to be saved, and save it if it is sound.

    Only the first process looks and saves; all return its judgement: where and why training went wrong, or nothing.
    """
    fabric = loop.fabric
    if saved and fabric.is_global_zero:
        made = _look(loop, job, counters)
        if real:
            counters.history[-1]["diversity"] = diversity(made, real)
    found: str = fabric.broadcast(trouble(counters.history))
    if found:
        return f"{found} at step {counters.step}"
    if saved and fabric.is_global_zero:
        _save(loop, job, counters)
    return ""


def _save_if_finite(loop: AdversarialLoop, job: _Job, counters: Counters, metrics: Mapping[str, Tensor]) -> None:
    """Save training that is about to be stopped, unless it went wrong after it was last looked at."""
    if all(value.isfinite() for value in metrics.values()):
        if isinstance(loop, PrivateLoop):
            counters.taken -= _until_saved(loop, counters.step)
        save_state(job.work / STATE_FILE, loop.players, counters, job.key)


def _every(loop: AdversarialLoop, points: int) -> int:
    finest = max(1, loop.total_steps // LOGGED_POINTS)
    return finest * (LOGGED_POINTS // points)


def _until_saved(loop: AdversarialLoop, step: int) -> int:
    """Return how many steps there are from this one to the next saved state."""
    every = _every(loop, SAVED_POINTS)
    return min(every - step % every, loop.total_steps - step)


def _out_of_time(fabric: Fabric, study: Study, counters: Counters) -> bool:
    """Tell whether the time limit is reached, by the clock of the first process for all of them."""
    if study.gan.max_seconds is None:
        return False
    return bool(fabric.broadcast(counters.seconds >= study.gan.max_seconds))


def _log_line(metrics: Mapping[str, Tensor], counters: Counters, study: Study) -> dict[str, float]:
    kimg = counters.step * study.gan.batch_size / 1000
    means = {name: processes.mean(value).item() for name, value in metrics.items()}
    return {"step": counters.step, "kimg": kimg, **means}


@torch.no_grad()
def _look(loop: AdversarialLoop, job: _Job, counters: Counters) -> dict[int, float]:
    """Look at samples of the averaged generator: return how much they vary, and save a picture, a row per class."""
    n_classes, device = len(job.samples.class_names), loop.fabric.device
    random = torch_generator(job.study.seed, "grid", device=device)  # always the same latents
    labels = torch.arange(n_classes, device=device).repeat_interleave(GRID_COLUMNS)
    latents = torch.randn(len(labels), loop.latent_dim, generator=random, device=device)
    made = loop.codec.decode(loop.average.eval()(latents, labels))
    if draw := MODALITIES[job.study.modality.kind].draw:
        rows = [np.concatenate(row, axis=1) for row in made.reshape(n_classes, GRID_COLUMNS, *made.shape[1:])]
        (job.work / f"grid-{counters.step:07d}.png").write_bytes(draw(np.concatenate(rows)))
    return variations(loop.codec.hold(made), labels.cpu().numpy())
