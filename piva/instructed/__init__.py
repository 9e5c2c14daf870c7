"""Editing by instruction, with an InstructPix2Pix model as the prior. One file each; an editor IS its settings."""

SCENE_EDITORS: dict[str, str] = {
    "in2n": "piva.instructed.in2n:IN2N",
}
"""What edits scenes by instruction."""


def follows_instructions(method: object) -> bool:
    """Whether a method's prior is an InstructPix2Pix model, which reads an edit's instruction and not its prompts."""
    return getattr(method, "name", None) in SCENE_EDITORS
