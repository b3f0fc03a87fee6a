"""The discriminator as it is trained."""

from torch import Tensor, nn

from gansynth.gans.base import Discriminator
from gansynth.gans.losses import squared_gradients


class Judge(nn.Module):
    """The discriminator, with the gradients that its penalty needs.

    They are taken within the forward pass: of what comes out of it, Fabric allows none but its own in mixed precision.
    """

    discriminator: Discriminator

    def __init__(self, discriminator: Discriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(
        self, seen: Tensor, labels: Tensor, penalised: slice | None, real: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the logits, and the squared norm of the gradient of the `penalised` ones at each sample; both (N,).

        Besides, what the auxiliary classifier makes of `real` samples, (M, classes), if there are some.
        """
        logits = self.discriminator(seen, labels)
        squared = None if penalised is None else squared_gradients(logits[penalised], seen)
        return logits, squared, None if real is None else self.discriminator.classify(real)
