"""What a training does about too little memory: it computes each batch in several parts, one after another."""

from lightning_fabric import Fabric

from gansynth.errors import ResourceError, on_one_line
from gansynth.memory import is_out_of_memory
from gansynth.study import Study


def more_parts(study: Study, fabric: Fabric, parts: int, error: Exception) -> int:
    """Return in how many parts a batch is to be computed, now that an error has come up with so many.

    The gradients are those of the whole batch, but for rounding.

    Raises:
        ResourceError: Memory ran out, and parts are of no use to this training, or cannot be smaller.
        Exception: The error itself, if it is about something else.
    """
    if not is_out_of_memory(error):
        raise error
    size = study.gan.batch_size
    if hindrance := _hindrance(study, fabric):
        told = f"gan: memory ran out, and {hindrance} takes each batch of {size} samples as a whole"
    elif size % (2 * parts):
        told = f"gan: memory ran out with batches of {size} samples in {parts} parts, which cannot be halved"
    else:
        return 2 * parts
    reason = on_one_line(error)
    raise ResourceError(f"{told} ({reason}); lower gan.batch_size or compute.workers, and run again") from error


def _hindrance(study: Study, fabric: Fabric) -> str:
    """Return what of a training looks at all samples of a batch together; nothing if nothing does."""
    if fabric.world_size > 1:
        return "training in several processes"
    if study.gan.privacy is not None:
        return "gan.privacy"
    if study.gan.lecam > 0:
        return "gan.lecam"
    if study.gan.feature_matching > 0:
        return "gan.feature_matching"
    # its gradients are scaled by one number for the whole batch
    return "compute.precision '16-mixed'" if study.compute.precision == "16-mixed" else ""
