"""How like training rows synthetic samples are, and what they tell of who is among those: as an evaluation found it."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from statistics import fmean

from pydantic import BaseModel, Field

LEAST_ROWS = 10
"""Fewest members, non-members and synthetic samples of a class on which an attack is judged."""


class Similarity(BaseModel):
    """Whether samples lie nearer to training rows than to held-out rows: means over repetitions."""

    share_nearer_to_training: float = Field(
        description="Share of synthetic samples whose nearest training row is nearer than their nearest held-out"
        " row, both sets of equal size; 0.5 without copying."
    )
    c_t: float = Field(
        description="The data-copying test C_T (arXiv 2004.05675) with the classes as its cells: 0 on average without"
        " copying, where a single class has a standard deviation of 1; far below 0 for copies, or for samples more"
        " typical than real ones."
    )
    median_distance_ratio: float = Field(
        description="Median of the distance to training divided by the distance to held-out rows."
    )
    closest_training: float = Field(
        description="5th percentile of the distance to the closest training record, both sets of equal size."
    )
    closest_held_out: float = Field(description="The same to the closest held-out record.")
    neighbour_ratio_training: float | None = Field(
        description="5th percentile of the distance to the nearest training row divided by that to the second nearest,"
        " both sets of equal size: near 0 where samples lie at single rows. None if no class has two of both kinds."
    )
    neighbour_ratio_held_out: float | None = Field(description="The same of held-out rows.")
    near_copies: int = Field(
        description="Synthetic samples nearer to a training row than any held-out row of their class is, summed over"
        " repetitions."
    )
    near_copies_by_chance: float = Field(
        description="How many such samples new real rows would count on average: for each class, its samples divided"
        " by its held-out rows plus one."
    )
    checked: int = Field(description="How many synthetic samples were looked at.")

    @classmethod
    def over(cls, found: Sequence["Similarity"]) -> "Similarity":
        """Return the means, and of counts the sums, over repetitions."""
        return cls(
            share_nearer_to_training=fmean(one.share_nearer_to_training for one in found),
            c_t=fmean(one.c_t for one in found),
            median_distance_ratio=fmean(one.median_distance_ratio for one in found),
            closest_training=fmean(one.closest_training for one in found),
            closest_held_out=fmean(one.closest_held_out for one in found),
            neighbour_ratio_training=_mean_of_known([one.neighbour_ratio_training for one in found]),
            neighbour_ratio_held_out=_mean_of_known([one.neighbour_ratio_held_out for one in found]),
            near_copies=sum(one.near_copies for one in found),
            near_copies_by_chance=sum(one.near_copies_by_chance for one in found),
            checked=sum(one.checked for one in found),
        )


class Guarantee(BaseModel):
    """What training with differential privacy guarantees of a model, as to adding or taking away one training row."""

    epsilon: float = Field(description="ε, by Rényi accounting of subsampled Gaussian noise (Opacus).")
    delta: float
    noise_multiplier: float
    max_grad_norm: float
    sampling_rate: float = Field(description="Probability with which a step took a row.")
    steps: int = Field(description="All that may have been taken, those among them that were lost and taken again.")

    @property
    def numbers(self) -> str:
        """The two numbers, neither smaller than it is."""
        return f"ε = {_rounded_up(self.epsilon)} at δ = {self.delta:g}"


_HOLDS = (
    "This is for one training row more or less; who has several rows is protected less. An ε below 1 is a strong"
    " guarantee, one far above 10 hardly any. It holds for the weights of the generator and its discriminator alone;"
    " other trainings on the same rows, such as those of the repetitions and earlier tries, add to it."
)
_HOLDS_NOT = (
    "Taken from training rows without noise, so without any guarantee, are: how rows are encoded and decoded (of a"
    " table the quantiles, bounds and categories of its columns), the teacher and the probabilities that it gives"
    " samples, the embedding of training rows in the model, the numbers of rows by class, and all that the evaluation"
    " measures and the report shows. So samples have the guarantee only as far as these are known anyway. The noise is"
    " not of cryptographic quality."
)
GUARANTEE_SCOPE = (_HOLDS, _HOLDS_NOT)
"""What a guarantee holds for and what not, for people: a paragraph each."""


def _rounded_up(epsilon: float) -> str:
    """Return an ε with three digits, and no smaller than it is."""
    return f"{Context(prec=3, rounding=ROUND_CEILING).create_decimal_from_float(epsilon):g}"


def guarantee_in_words(guarantee: Guarantee | None) -> str:
    """Return what a model's training guarantees; nothing if it was trained without differential privacy."""
    return " ".join([f"Trained with differential privacy, {guarantee.numbers}.", *GUARANTEE_SCOPE]) if guarantee else ""


class Estimate(BaseModel):
    """A number with its 95 % bootstrap interval over the rows that were scored."""

    value: float
    low: float
    high: float


class Attack(BaseModel):
    """What a membership-inference attack found: the mean over repetitions, or one of them.

    The interval is that of the rows, for the generator as it is. The ends of a mean are the means of the ends, so it is
    as wide as that of one repetition: repetitions share rows, and nothing is gained by counting them again.
    """

    members: int = Field(description="Training rows that were scored.")
    non_members: int = Field(description="Held-out rows that were scored.")
    reference: int = Field(
        description="Held-out rows that the attacker compared a row with: neither trained on nor scored along with it."
    )
    synthetic: int = Field(description="Synthetic samples that the attacker had.")
    auc: Estimate | None = Field(
        description="How often the attack ranks a member above a non-member of its class: 0.5 for guessing, 1 always."
        f" None with fewer than {LEAST_ROWS} members, non-members or synthetic samples."
    )
    tpr: Estimate | None = Field(
        description="Share of the members that it names where it names at most 1 % of the non-members: 0.01 for"
        " guessing. None where a single non-member counts for more than 1 %: with fewer than 100, or many fewer than"
        " members in some class."
    )

    @classmethod
    def over(cls, found: Sequence["Attack"]) -> "Attack":
        """Return the means over repetitions."""
        return cls(
            members=round(fmean(one.members for one in found)),
            non_members=round(fmean(one.non_members for one in found)),
            reference=round(fmean(one.reference for one in found)),
            synthetic=round(fmean(one.synthetic for one in found)),
            auc=_mean_estimate([one.auc for one in found]),
            tpr=_mean_estimate([one.tpr for one in found]),
        )


class Privacy(BaseModel):
    """What the attack found over all classes together and in each of them: of one repetition, or the mean of several.

    Classes with too few rows are not among all.
    """

    overall: Attack
    by_class: dict[str, Attack]
    repetitions: list["Privacy"] = Field(default=[], description="Each repetition, where this is their mean.")

    @classmethod
    def over(cls, found: Sequence["Privacy"]) -> "Privacy":
        """Return the means over repetitions, with what each found."""
        return cls(
            overall=Attack.over([one.overall for one in found]),
            by_class={name: Attack.over([one.by_class[name] for one in found]) for name in found[0].by_class},
            repetitions=list(found),
        )


def _mean_estimate(found: Sequence[Estimate | None]) -> Estimate | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    value, low, high = (fmean(getattr(one, end) for one in known) for end in ("value", "low", "high"))
    return Estimate(value=value, low=low, high=high)


def _mean_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
