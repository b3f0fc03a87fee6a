"""What an evaluation may have found, for tests that only show it."""

from gansynth.privacy import Attack, Estimate, Privacy, Similarity

SIMILARITY = Similarity(
    share_nearer_to_training=0.537,
    c_t=-0.42,
    median_distance_ratio=0.974,
    closest_training=0.31,
    closest_held_out=0.33,
    neighbour_ratio_training=0.71,
    neighbour_ratio_held_out=0.74,
    near_copies=9,
    near_copies_by_chance=11.5,
    checked=4000,
)


def privacy(*classes: str, repetitions: int = 3) -> Privacy:
    """Return what an attack may have found: more the later a class comes, and of the last one too few rows."""
    found = []
    for repetition in range(repetitions):
        by_class = {
            name: Attack(
                members=20,
                non_members=150,
                reference=120,
                synthetic=400,
                auc=Estimate(value=0.51 + 0.04 * place + 0.01 * repetition, low=0.45 + 0.04 * place, high=0.6),
                tpr=Estimate(value=0.02, low=0, high=0.06),
            )
            for place, name in enumerate(classes[:-1])
        }
        overall = Attack(
            members=60,
            non_members=450,
            reference=360,
            synthetic=1200,
            auc=Estimate(value=0.55, low=0.51, high=0.59 + 0.01 * repetition),
            tpr=Estimate(value=0.03, low=0.01, high=0.07),
        )
        by_class[classes[-1]] = Attack(members=6, non_members=150, reference=0, synthetic=400, auc=None, tpr=None)
        found.append(Privacy(overall=overall, by_class=by_class))
    return Privacy.over(found)
