"""What can be trained, by name; `piva.registry.resolve` reads it."""

RECIPES: dict[str, str] = {
    "vae": "piva.toybox.models.vae:VAESettings",
    "diffusion": "piva.toybox.models.diffusion:DiffusionSettings",
    "controlnet": "piva.toybox.models.controlnet:ControlNetSettings",
    "instruct_pix2pix": "piva.toybox.models.instruct_pix2pix:InstructPix2PixSettings",
    "clip": "piva.toybox.models.clip:ClipSettings",
    "perceptual": "piva.toybox.models.perceptual:PerceptualSettings",
    "judge": "piva.toybox.models.judge:JudgeSettings",
    "silhouette": "piva.toybox.models.silhouette:SilhouetteSettings",
}
"""Name -> the recipe's settings; its `train` stands in the same module."""
STEERING = ("controlnet", "instruct_pix2pix")
"""Recipes that start from a trained pipeline."""
SPATIAL = ("controlnet", "silhouette")
"""Recipes that are trained on depths or outlines too."""
