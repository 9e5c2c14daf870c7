"""Editing by sampling, without score distillation: the baselines. One file each; a sampler IS its settings."""

SAMPLERS: dict[str, str] = {
    "sdedit": "piva.sampling.sdedit:SDEdit",
    "ddim-inversion": "piva.sampling.ddim_inversion:DDIMInversion",
}
