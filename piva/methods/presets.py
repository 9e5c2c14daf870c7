"""The authors' own, mostly much longer, schedules: `--preset authors`. Offered, not run.

A preset is flags that stand before those of the command line, so that each can still be set; what it leads to is in the
record, and in its key, as if it had been typed. It names steps and settings. What Piva has no setting for stays ours,
above all the optimiser: pictures move by plain descent, where NFSD, CSD, SDS-Bridge, VSD and PDS had Adam.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Domain = Literal["pictures", "scenes"]


class Preset(NamedTuple):
    """What the authors ran."""

    steps: int
    settings: Mapping[str, str]
    """Flag without `--method.` -> value: those that matter, also where they are the defaults."""
    source: str
    """Where both are from."""

    @property
    def words(self) -> list[str]:
        """Flags of `piva run`."""
        return [f"--steps={self.steps}", *(f"--method.{name}={value}" for name, value in self.settings.items())]


_WIDE = {"t-min": "20", "t-max": "980", "weighting": "one_minus_abar"}
_DDS = {"guidance": "7.5", "t-min": "50", "t-max": "948", "weighting": "constant"}

AUTHORS: dict[Domain, dict[str, Preset]] = {
    "pictures": {
        "sds": Preset(200, _DDS, "the SDS run of DDS's notebook (Hertz et al., 2023)"),
        "nfsd": Preset(1000, {"guidance": "7.5", "t-clean": "200", **_WIDE}, "Katzir et al., 2023: 1000 of AdamW"),
        "csd": Preset(
            10_000, {"omega-first": "1", "omega": "0.5", **_WIDE, "t-max": "500"}, "Yu et al., 2023: 10,000 of Adam"
        ),
        "sds-bridge": Preset(1000, {"guidance": "40", **_WIDE}, "McAllister et al., 2024: 1000 of AdamW, stage 2"),
        "vsd": Preset(
            25_000, {"guidance": "7.5", **_WIDE, "t-law": "annealed", "aux.lr": "1e-4"},
            "Wang et al., 2023: 25,000 steps of AdamW (in 3D; they edit no pictures)",
        ),
        "lusd": Preset(
            300, {"r": "0.02", "std-first": "0.15", "std-last": "0.01", "step-size": "0.488", "gate": "0.01"},
            "Chinchuthakun et al., 2025, and their script",
        ),
        "dds": Preset(200, _DDS, "Hertz et al., 2023, and their notebook"),
        "pds": Preset(
            1000, {"guidance": "100", "inference-steps": "500", "t-min": "20", "t-max": "980"},
            "Koo et al., 2023: 1000 steps of Adam (of vector graphics)",
        ),
        "cds": Preset(200, {"contrast": "3", "n-patches": "256", "tau": "0.07", **_DDS}, "Nam et al., 2024"),
        "ids": Preset(200, {"iterations": "3", "scale": "1", **_DDS}, "Kim et al., 2025"),
        "piva": Preset(200, {"lam": "0.4", **_DDS}, "arXiv 2406.08953; steps and w as DDS (ours)"),
        "sdedit": Preset(50, {"t0": "0.5", "guidance": "7.5"}, "t0: Meng et al., 2022; 50 steps: diffusers' img2img"),
        "ddim-inversion": Preset(
            50, {"t0": "1", "guidance": "7.5", "guidance-src": "1"}, "Hertz et al., 2022 (Prompt-to-Prompt): 50 of DDIM"
        ),
    },
    "scenes": {
        "sds": Preset(10_000, {"guidance": "100", **_WIDE}, "Poole et al., 2022 (DreamFusion)"),
        "csd": Preset(
            10_000, {"omega-first": "1", "omega": "0.5", **_WIDE, "t-max": "500"}, "Yu et al., 2023: refinement"
        ),
        "vsd": Preset(
            25_000, {"guidance": "7.5", **_WIDE, "t-law": "annealed", "aux.lr": "1e-4", "aux.camera": "True"},
            "Wang et al., 2023: 25,000 steps",
        ),
        "pds": Preset(
            30_000, {"guidance": "100", "inference-steps": "500", "t-min": "20", "t-max": "980"}, "Koo et al., 2023"
        ),
        "in2n": Preset(
            15_000, {"guidance": "7.5", "guidance-image": "1.5", "edit-every": "10", "noise-min": "0.02"},
            "Haque et al., 2023: 15,000 steps, fields' rates from 1e-2 to 1e-4 (--scene.lr-network, --scene.lr-last)",
        ),
        "piva": Preset(15_000, {**_DDS}, "arXiv 2406.08953; lambda is the benchmark's: .4 on Noe, .2 on IN2N"),
    },
}  # fmt: skip
"""By what is edited, then by method. None where the authors' 3D schedule is not known here, or there is none."""
