"""Edits by instruction that a model is trained on."""

from piva.toybox import vocabulary as words
from piva.toybox.edits import CHANGES
from piva.toybox.instructed import KINDS, instructed_edit
from piva.toybox.models.tokenizer import tokenize
from piva.toybox.scene import sample_scene
from piva.toybox.scene_edits import in2n_toybox, noe_toybox

EDITS = [instructed_edit(i, "train") for i in range(400)]


def test_the_source_is_the_split_s_own_scene_and_the_edit_its_own():
    for i in (0, 7, 399):
        assert EDITS[i].source == sample_scene(i, "train")
        assert instructed_edit(i, "train") == EDITS[i]
    assert all(edit.target != edit.source for edit in EDITS)


def test_every_kind_of_edit_is_there():
    found = {edit.type_id for edit in EDITS}
    assert found == set(KINDS) > set(CHANGES)


def test_no_training_edit_ends_in_a_held_out_pair():
    assert not any((edit.target.color, edit.target.shape) in words.HELD_OUT_PAIRS for edit in EDITS)


def test_the_scene_sets_instructions_are_among_the_kinds():
    """But for the words of colours and shapes: what is said in them has been said in training."""

    def pattern(instruction: str) -> str:
        names = (*words.COLORS, *words.SHAPES, *words.PATTERNS, *words.GROUNDS, *words.TIMES)
        return " ".join("X" if word in names else word for word in instruction.replace(" an ", " a ").split())

    known = {pattern(instructed_edit(i, "train").instruction) for i in range(1500)}
    asked = {pattern(edit.instruction) for scene in (*noe_toybox(), *in2n_toybox()) for edit in scene.edits}
    assert asked <= known


def test_instructions_fit_into_a_prompt():
    from transformers import CLIPTokenizer

    from piva.toybox.models import weights

    tokenizer = CLIPTokenizer.from_pretrained(weights.folder("diffusion") / "tokenizer")
    ids = tokenize(tokenizer, [edit.instruction for edit in EDITS])
    assert (ids[:, -1] == tokenizer.pad_token_id).all()
    assert len({tuple(row) for row in ids.tolist()}) == len({edit.instruction for edit in EDITS})
