"""Adversarial families: one file each, named in FAMILIES."""

from gansynth.gans import mlp, residual
from gansynth.gans.base import Family, GanConfig
from gansynth.gans.mlp import MlpConfig
from gansynth.gans.residual import ResidualConfig

__all__ = ["FAMILIES", "AnyGan", "Family", "GanConfig", "MlpConfig", "ResidualConfig"]

AnyGan = ResidualConfig | MlpConfig

FAMILIES = {
    "mlp": Family(mlp.MlpConfig, mlp.Generator, mlp.Discriminator),
    "residual": Family(residual.ResidualConfig, residual.Generator, residual.Discriminator),
}
