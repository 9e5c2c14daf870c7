import pytest

from piva.toybox.edits import CHANGES, blended_word, bracket, sample_edit
from piva.toybox.scene import named_labels
from piva.toybox.vocabulary import HELD_OUT_PAIRS

CHANGED = {
    "1": {"shape"},
    "2": {"hat", "companion", "companion_color"},
    "3": {"hat", "companion", "companion_color"},
    "4": {"pattern"},
    "5": {"leaning"},
    "6": {"color"},
    "7": {"shiny"},
    "8": {"ground", "time"},
    "9": {"style"},
}


@pytest.mark.parametrize("type_id", list(CHANGES))
def test_edits_change_what_their_type_says_and_nothing_else(type_id):
    for index in range(40):
        edit = sample_edit(type_id, index, "dev")
        before, after = named_labels(edit.source), named_labels(edit.target)
        changed = {name for name in before if before[name] != after[name]}
        assert changed
        assert changed <= CHANGED.get(type_id, set(before))
        assert edit.source.placement == edit.target.placement
        assert (edit.target.color, edit.target.shape) not in HELD_OUT_PAIRS
        assert edit == sample_edit(type_id, index, "dev")


def test_additions_add_and_deletions_delete():
    for index in range(30):
        added, removed = sample_edit("2", index, "test"), sample_edit("3", index, "test")
        assert len(added.prompts[1]) > len(added.prompts[0])
        assert len(removed.prompts[1]) < len(removed.prompts[0])


def test_brackets_mark_the_words_that_differ():
    assert bracket("a red cube on grass", "an orange cube on sand") == (
        "a [red] cube on [grass]",
        "an [orange] cube on [sand]",
    )
    assert bracket("a red cube", "a red cube with a blue hat") == ("a red cube", "a red cube [with a blue hat]")


def test_blended_word_is_the_first_replacement():
    assert blended_word("a red cube on grass", "a striped red cube on sand") == "grass sand"
    assert blended_word("a red cube", "a red cube with a hat") == ""


def test_unknown_type_is_named():
    with pytest.raises(ValueError, match="unknown edit type '10'"):
        sample_edit("10", 0, "dev")
