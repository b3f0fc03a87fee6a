"""Adversarial families: one file each, named in FAMILIES."""

from gansynth.gans import dcgan, mlp, residual, stylegan2, tabular
from gansynth.gans.base import Family, GanConfig
from gansynth.gans.dcgan import DcganConfig
from gansynth.gans.mlp import MlpConfig
from gansynth.gans.residual import ResidualConfig
from gansynth.gans.stylegan2 import StyleGan2Config
from gansynth.gans.tabular import TabularConfig

__all__ = [
    "FAMILIES",
    "AnyGan",
    "DcganConfig",
    "Family",
    "GanConfig",
    "MlpConfig",
    "ResidualConfig",
    "StyleGan2Config",
    "TabularConfig",
]

AnyGan = ResidualConfig | MlpConfig | DcganConfig | StyleGan2Config | TabularConfig

FAMILIES = {
    "dcgan": Family(dcgan.DcganConfig, dcgan.Generator, dcgan.Discriminator),
    "mlp": Family(mlp.MlpConfig, mlp.Generator, mlp.Discriminator),
    "residual": Family(residual.ResidualConfig, residual.Generator, residual.Discriminator),
    "stylegan2": Family(stylegan2.StyleGan2Config, stylegan2.Generator, stylegan2.Discriminator),
    "tabular": Family(tabular.TabularConfig, tabular.Generator, tabular.Discriminator, modality="table"),
}
