"""What an evaluation may have found, for tests that only show it."""

from gansynth.results import Memorisation

MEMORISATION = Memorisation(
    share_nearer_to_training=0.537,
    c_t=-0.42,
    median_distance_ratio=0.974,
    near_copies=9,
    near_copies_by_chance=11.5,
    checked=4000,
)
