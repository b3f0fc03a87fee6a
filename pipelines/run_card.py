"""The card of a run: what it is to find out, how far it is, what it took and found, and where things lie."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gansynth import formats
from gansynth.privacy import Attack
from gansynth.results import Summary
from gansynth.runs import Run
from gansynth.states import RunState, StoredStudy, read_state
from pipelines.findings import output_console, plain, print_findings
from pipelines.meter import clock, read_pieces

MIB = 2**20


def print_card(run: Run) -> None:
    """Print the card of a run, whatever state it is in.

    Raises:
        ArtifactError: The folder holds no run, or a damaged one.
    """
    state = read_state(run)
    console = output_console()
    console.print(Text.assemble((run.root.name, "bold"), f": {state.words}"))
    console.print()
    if state.study is not None:
        console.print(_pairs(_study(state.study, state.counts)))
        console.print()
        console.print(_stages(state))
        console.print()
    for note in state.notes:
        console.print(f"dataset: {plain(note)}")
    if state.notes:
        console.print()
    if state.holder:
        _print_pieces(console, run)
    if state.summary is None:
        console.print("No verdict yet." + ("" if state.holder else f" Go on with: gansynth augment {run.root}"))
        console.print()
    else:
        print_findings(state.summary)
        console.print(_pairs(_fidelity(state.summary)))
        console.print()
    for warning in state.warnings:
        console.print(f"warning: {plain(warning)}")
    if state.warnings:
        console.print()
    console.print(_pairs(_places(state)))


def _study(study: StoredStudy, counts: dict[str, int]) -> Iterator[tuple[str, str]]:
    """Yield what the run is to find out, and what its dataset counts."""
    source, gan, rule = study.source, study.gan, study.evaluation
    yield "source", f"{source.path} (licence: {source.licence})"
    if counts:
        yield "dataset", ", ".join(_counted(counts))
    yield "training rows", ", ".join(_scarcity(study))
    yield "GAN", f"{gan.kind}, {gan.kimg:g} thousand samples"
    yield "arms", f"{', '.join(rule.arms)}; by {formats.metric_name(rule.metric)}"
    yield "repetitions", f"{rule.repetitions}, seed {study.seed}"


def _counted(counts: dict[str, int]) -> Iterator[str]:
    yield formats.plural(counts["classes"], "class", "classes")
    yield formats.plural(counts["rows"], "row")
    if counts["test"]:
        yield f"of these {formats.count(counts['test'])} set apart as test part"
    if counts["quarantined"]:
        yield f"{formats.plural(counts['quarantined'], 'unusable sample')} put aside"


def _scarcity(study: StoredStudy) -> Iterator[str]:
    rule = study.scarcity
    yield f"at most {formats.count(rule.per_class)} of each class" if rule.per_class else "all there are"
    if rule.rare_classes:
        yield f"{rule.rare_per_class} of the rare ones ({', '.join(rule.rare_classes)})"
    if rule.imbalance > 1:
        yield f"in a long tail, of the last class {rule.imbalance:g} times fewer than of the first"


def _stages(state: RunState) -> Table:
    table = Table("stage", box=None, pad_edge=False)
    for title in ("done", "time", "processor time", "peak memory"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, stage in state.stages.items():
        done = f"{stage.done} of {stage.total}"
        if not stage.done:
            table.add_row(name, done, "", "", "")
            continue
        cost = stage.cost
        times = (formats.duration(cost.seconds), formats.duration(cost.cpu_seconds))
        table.add_row(name, done, *map(plain, (*times, formats.memory(cost.peak_memory_mb))))
    return table


def _print_pieces(console: Console, run: Run) -> None:
    at_work = read_pieces(run.progress).values()
    for piece in at_work:
        part = f"{100 * piece.share:.0f} %, " if piece.total > 1 else ""
        console.print(f"at work: {piece.label} ({part}{clock(piece.seconds)})")
    if at_work:
        console.print()


def _fidelity(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield how like the real samples the synthetic ones are."""
    found, copies = summary.fidelity, summary.similarity
    near = f"KID {formats.number(found.kid)}, FID {formats.number(found.fid)}"
    spread = f"precision {formats.share(found.precision)}, recall {formats.share(found.recall)}"
    labels = (
        f"label agreement {formats.share(found.label_agreement)}"
        f" (of held-out rows {formats.share(found.held_out_agreement)})"
    )
    yield "fidelity", plain(f"{near}, {spread}, coverage {formats.share(found.coverage)}, {labels}")
    chance = formats.count(round(copies.near_copies_by_chance))
    yield (
        "similarity",
        plain(
            f"{formats.count(copies.near_copies)} near copies among {formats.count(copies.checked)} samples, about"
            f" {chance} by chance; C_T {formats.typeset(f'{copies.c_t:+.1f}')}"
        ),
    )
    yield "privacy", plain(_attack(summary.privacy.overall))


def _attack(found: Attack) -> str:
    """Return what the membership attack found."""
    if found.auc is None:
        return "membership attack not measured: too few rows of every class"
    auc = found.auc
    told = f"{formats.share(auc.value)} ({100 * auc.low:.1f} to {100 * auc.high:.1f})"
    return f"a membership attack names the right of two rows in {told} of cases; guessing, in 50{formats.SPACE}%"


def _places(state: RunState) -> Iterator[tuple[str, str]]:
    """Yield where those things lie that are there."""
    run = state.run
    for name, place, there in (
        ("report", run.report / "index.html", state.stages["report"].done),
        ("synthetic dataset", run.synthetic(None), run.synthetic(None).exists()),
        ("training set", run.training_set, run.training_set.exists()),
        ("generator", run.model(None), run.model(None).exists()),
        ("dataset", run.dataset, run.dataset.exists()),
    ):
        if there:
            yield name, str(place)
    yield "run folder", f"{run.root} ({plain(formats.memory(state.size / MIB))})"


def _pairs(pairs: Iterator[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in pairs:
        table.add_row(name, Text(text))
    return table
