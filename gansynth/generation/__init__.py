"""Samples of a trained generator: how many, which are kept, and how they are written."""

from gansynth.generation.batches import Order, export, gather, held, order, send, write_shard
from gansynth.generation.plan import Batch, ClassNumber
from gansynth.generation.stage import generate, generate_repetition

__all__ = [
    "Batch",
    "ClassNumber",
    "Order",
    "export",
    "gather",
    "generate",
    "generate_repetition",
    "held",
    "order",
    "send",
    "write_shard",
]
