import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toybox.models.tiny import TINY

from piva.toybox.models import attributes, judge
from piva.toybox.scene import labels, named_labels
from piva.toybox.vocabulary import ATTRIBUTES


@pytest.fixture(scope="module")
def trained(tiny_data: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    return judge.train(judge.JudgeSettings(steps=25, **TINY | {"batch_size": 12}), folder, tiny_data)


def test_it_learns_its_pictures_by_heart(trained: Path, tiny_data: SimpleNamespace) -> None:
    found = judge.load_judge("cpu", trained).predict(torch.from_numpy(tiny_data.images).float() / 255)
    truth = [named_labels(scene) for scene in tiny_data.scenes]
    right = sum(f[name] == t[name] for f, t in zip(found, truth, strict=True) for name in ATTRIBUTES)
    assert right / (12 * len(ATTRIBUTES)) > 0.85


def test_prediction_is_the_likeliest_class(trained: Path) -> None:
    model, images = judge.load_judge("cpu", trained), torch.rand(3, 3, 64, 64)
    found = model.predict(images)
    for name, logits in model(images).items():
        assert [row[name] for row in found] == [ATTRIBUTES[name][i] for i in logits.argmax(1)]


def test_other_sizes_are_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match="64"):
        judge.load_judge("cpu", trained).predict(torch.zeros(1, 3, 32, 32))


def test_labels_are_the_scenes(tiny_data: SimpleNamespace) -> None:
    table = attributes.label_table(tiny_data.scenes)
    assert {name: int(column[7]) for name, column in table.items()} == labels(tiny_data.scenes[7])


def test_loss_of_no_knowledge_is_the_entropy() -> None:
    logits = {"a": torch.zeros(5, 4), "b": torch.zeros(5, 3)}
    targets = {"a": torch.tensor([0, 1, 2, 3, 0]), "b": torch.tensor([2, 1, 0, 0, 0])}
    assert attributes.cross_entropy(logits, targets).item() == pytest.approx(math.log(4) + math.log(3), rel=1e-6)
    assert attributes.accuracy(logits, targets) == pytest.approx({"a": 0.4, "b": 0.6})
