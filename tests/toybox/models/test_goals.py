from piva.toybox.models.goals import lookup, verdict


def test_every_goal_has_a_verdict() -> None:
    assert verdict(0.95, 0.95) == "reached"
    assert verdict(0.94, 0.95) == "missed"
    assert lookup({"a": {"b": 2.0}}, "a.b") == 2.0
    assert verdict(lookup({}, "a.b"), 1.0) == "not measured"
