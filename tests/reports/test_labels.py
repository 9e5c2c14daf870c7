"""Short names for runs: readable, and no two alike."""

from harness_world import run_record

from reports.labels import labels_of


def named(*settings, method="piva", **facts):
    return labels_of([run_record(f"{k:016x}", method, settings=own, **facts) for k, own in enumerate(settings)])


def test_what_differs_is_said_and_no_more():
    assert named({"lam": 0.4, "guidance": 3}, {"lam": 1.0, "guidance": 3}) == ["piva lam=0.4", "piva lam=1.0"]
    assert named({"lam": 0.4}) == ["piva"]


def test_a_fact_that_is_off_is_said_only_where_another_label_is_the_same_and_more():
    assert named({"camera": True}, {"camera": False}) == ["piva camera=True", "piva camera=False"]
    assert named({"max_t": None}, {"max_t": 500}) == ["piva max_t=None", "piva max_t=500"]
    kinds = [{"kind": "lora", "net": None, "camera": c} for c in (False, True)] + [
        {"kind": "controlnet", "net": "toybox", "camera": False}
    ]
    assert named(*kinds) == [
        "piva kind=lora camera=False", "piva kind=lora camera=True", "piva kind=controlnet net=toybox",
    ]  # fmt: skip


def test_facts_with_the_same_last_name_are_said_with_more_of_it():
    settings = [{"psi": {"rank": a}, "phi": {"rank": b}} for a, b in ((4, 8), (8, 4))]
    assert named(*settings) == ["piva psi.rank=4 phi.rank=8", "piva psi.rank=8 phi.rank=4"]


def test_runs_that_differ_in_nothing_have_as_much_of_their_keys_as_it_takes():
    keys = ["aaaaaa1111", "aaaaaa1122", "bbbbbb0000", "bbbbbb0000"]
    assert labels_of([run_record(key, "dds") for key in keys]) == [
        "dds aaaaaa1111", "dds aaaaaa1122", "dds bbbbbb0000 (1)", "dds bbbbbb0000 (2)",
    ]  # fmt: skip


def test_that_pictures_have_no_settings_of_scenes_is_left_unsaid():
    scenes = [{"scene": {"views": views, "margin": 3}, "eval_views": 40} for views in (1, 2)]
    records = [run_record("1" * 16, "dds", settings={"guidance": 7.5}, benchmark="pie-toybox")]
    records += [run_record(f"{k}" * 16, "dds", settings={"guidance": 3.0}, benchmark="noe-toybox", scenes=own)
                for k, own in enumerate(scenes, start=2)]  # fmt: skip
    assert labels_of(records) == [
        "dds guidance=7.5 benchmark=pie-toybox", "dds guidance=3.0 views=1 benchmark=noe-toybox",
        "dds guidance=3.0 views=2 benchmark=noe-toybox",
    ]  # fmt: skip
