"""Edit success from an attribute classifier's answers."""

import pytest
import torch

from piva.metrics.batch import Batch, Missing, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.success import NO_LABELS, NOTHING_CHANGES, SuccessScores, judged

SOURCE = {"color": "red", "hat": "none", "ground": "grass"}
TARGET = {"color": "blue", "hat": "none", "ground": "grass"}


@pytest.mark.parametrize(
    ("seen", "changed", "kept"),
    [
        (TARGET, 1, 1),
        (SOURCE, 0, 1),  # nothing was edited
        ({**TARGET, "hat": "red"}, 1, 0),  # edited, and something else with it
        ({**SOURCE, "ground": "snow"}, 0, 0),
        ({**TARGET, "color": "purple"}, 0, 1),  # changed to the wrong value
    ],
)
def test_changed_kept_and_both(seen, changed, kept):
    result = judged(seen, (SOURCE, TARGET))
    assert result == {"edit_success": float(changed and kept), "changed": float(changed), "kept": float(kept)}


def test_all_of_two_changes_are_needed():
    target = {**TARGET, "hat": "white"}
    assert judged({**TARGET, "hat": "white"}, (SOURCE, target))["edit_success"] == 1
    assert judged(TARGET, (SOURCE, target)) == {"edit_success": 0.0, "changed": 0.0, "kept": 1.0}


def test_a_prompt_that_changes_nothing_has_no_success_but_can_be_kept():
    result = judged(SOURCE, (SOURCE, SOURCE))
    assert result == {"edit_success": Missing(NOTHING_CHANGES), "changed": Missing(NOTHING_CHANGES), "kept": 1.0}


def test_an_attribute_the_judge_does_not_know():
    result = judged({"color": "blue", "hat": "none"}, (SOURCE, TARGET))
    assert set(result.values()) == {Missing("the judge does not know ground")}


class ColourJudge:
    """Calls a picture red or blue by its first channel."""

    def __init__(self):
        self.rows = []

    def predict(self, images):
        self.rows.append(len(images))
        return [{**SOURCE, "color": "red" if image[0].mean() > 0.5 else "blue"} for image in images]


def edit(red, labels, size=4):
    image = torch.full((3, size, size), float(red))
    return ScoreInput(src_image=torch.ones(3, size, size), edited=image, src_prompt="", tgt_prompt="", labels=labels)


def test_a_batch_is_judged_at_once_and_only_where_there_are_labels():
    judge = ColourJudge()
    scores = SuccessScores(judge, "colour", size=4)
    batch = Batch([edit(0, (SOURCE, TARGET)), edit(0, None), edit(1, (SOURCE, TARGET))])
    values = scores.score(batch, FeatureCache())
    assert judge.rows == [2]
    assert values["edit_success"] == [1.0, Missing(NO_LABELS), 0.0]
    assert values["kept"] == [1.0, Missing(NO_LABELS), 1.0]


def test_pictures_of_another_size_are_not_judged():
    judge = ColourJudge()
    values = SuccessScores(judge, "colour").score(Batch([edit(0, (SOURCE, TARGET))]), FeatureCache())
    assert values["changed"] == [Missing("the judge reads 64x64 pictures, not 4x4")]
    assert judge.rows == []
