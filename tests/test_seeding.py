import torch

from gansynth.seeding import BatchRandom, derive_seed, numpy_generator, seeded_globally, torch_generator


def test_seeds_depend_on_every_part_of_the_purpose() -> None:
    seeds = [derive_seed(0), derive_seed(1), derive_seed(0, "a"), derive_seed(0, "a", 1), derive_seed(0, "a1")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_repeat() -> None:
    assert torch.equal(*[torch.rand(3, generator=torch_generator(1, "x", 2)) for _ in range(2)])
    first, second = (numpy_generator(1, "x", 2).random() for _ in range(2))
    assert first == second


def test_the_global_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    with seeded_globally(3, "weights"):
        first = torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded_globally(3, "weights"):
        assert torch.equal(torch.rand(2), first)


def test_processes_that_share_a_batch_draw_what_one_would() -> None:
    def draw(process: int, processes: int) -> list[torch.Tensor]:
        random = BatchRandom(torch_generator(0, "batch"), 6 // processes, process, processes)
        both = random.uniform(2, 12 // processes, dim=1)  # for two batches, one after the other
        return [random.integers(100), random.normal(6 // processes, 3), *both.chunk(2, dim=1)]

    whole, thirds = draw(0, 1), [draw(process, 3) for process in range(3)]
    for number, dim in enumerate((0, 0, 1, 1)):
        assert torch.equal(torch.cat([third[number] for third in thirds], dim), whole[number])
