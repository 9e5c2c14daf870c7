"""A crew in memory, whose workers do what a test says; and plans for it, without files to read."""

from collections import deque
from pathlib import Path

from harness_world import case_record, run_record

from benchmarks.executors.dispatch import Dispatch, Owner
from benchmarks.executors.messages import Appended, Closed, Died, Done, Ready
from benchmarks.pictures.runs import PictureRuns
from benchmarks.running.plan import Batch, Contents, Plan
from benchmarks.running.recording import unscored
from benchmarks.running.watching import Watchers
from benchmarks.scenes.benchmark import SceneEditCase
from benchmarks.scenes.runs import SceneRuns
from piva.data.edits import SceneEdit
from piva.data.pie_bench import Case
from piva.records import RunFolder, read_cases


class Crew:
    """Workers that do a unit of work the moment they are given it, and are heard word by word.

    Args:
        act: worker, plan -> what it says.
        begin: worker -> what a new one says.
    """

    def __init__(self, act, size=2, begin=lambda worker: [Ready()]):
        self.size, self.act, self.begin = size, act, begin
        self.given, self.replaced = [], []
        self._words = deque()
        for worker in range(size):
            self._say(worker, begin(worker))

    def give(self, worker, plan):
        self.given.append((worker, plan))
        self._say(worker, self.act(worker, plan))

    def hear(self, seconds):
        assert self._words, "nobody will ever say anything again"
        yield self._words.popleft()

    def replace(self, worker):
        self.replaced.append(worker)
        self._say(worker, self.begin(worker))

    def _say(self, worker, messages):
        self._words.extend((worker, message) for message in messages)

    @property
    def work(self) -> list[tuple[str, str]]:
        """What was given, in order: (ids edited together, ids only scored), the ids that are wanted in capitals."""
        return [
            (
                " ".join("".join(c.id.upper() if c.id in b.wanted else c.id for c in b.cases) for b in plan.batches),
                "".join(case.id for case in plan.rescore),
            )
            for _, plan in self.given
        ]


class Noting:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.cases, self.steps = [], []

    def step(self, values):
        self.steps.append(values)

    def case(self, record, source, edited):
        self.cases.append(record.case_id)


def wanted(plan) -> list[str]:
    """Ids that a plan wants a record of."""
    again = [case.id for case in plan.rescore]
    return again + [case.id for batch in plan.batches for case in batch.cases if case.id in batch.wanted]


def ended(case_id: str, **facts):
    """A worker's words when a case has ended."""
    record = case_record(case_id, **facts)
    return [Appended(record), Closed(record, None, None)]


def well(worker, plan):
    """All of it ends well."""
    return [message for case_id in wanted(plan) for message in ended(case_id)] + [Done()]


def dying_of(poison: str):
    """A worker that dies before it has recorded anything of a unit with this case among those that are edited."""

    def act(worker, plan):
        edited = {case.id for batch in plan.batches for case in batch.cases} | {case.id for case in plan.rescore}
        return [Died(f"signal SIGKILL, worker {worker}")] if poison in edited else well(worker, plan)

    return act


def pictures(ids: str, together=3, edited=()) -> tuple[PictureRuns, Plan]:
    """Cases with one letter each, in batches; those `edited` (records) only remain to be scored."""
    cases = [picture(id_) for id_ in ids]
    again = {record.case_id: record for record in edited}
    groups = [tuple(cases[k : k + together]) for k in range(0, len(cases), together)]
    batches = [Batch(group, frozenset(case.id for case in group) - set(again)) for group in groups]
    plan = Plan(
        tuple(cases), {case.id: Contents("c", "s") for case in cases},
        tuple(batch for batch in batches if batch.wanted), tuple(case for case in cases if case.id in again), again,
    )  # fmt: skip
    return PictureRuns(None, None, Path(), cases, None, None, None), plan


def picture(id_: str) -> Case:
    """A case whose files nobody looks at."""
    return Case(
        id=id_, image_path=Path(id_), image_size=(16, 16), src=f"a {id_}", tgt=f"a bright {id_}", raw_src="",
        raw_tgt="", instruction="", type_id="1", blended_words=(), mask_rle=(), true_edit_path=None,
    )  # fmt: skip


def scenes(scene_of: dict[str, str]) -> tuple[SceneRuns, Plan]:
    """Edits by letter -> the scene of each."""
    cases = [
        SceneEditCase(SceneEdit(id_, scene, Path(scene), "a ball", f"a box {id_}", "", "appearance"))
        for id_, scene in scene_of.items()
    ]
    batches = tuple(Batch((case,), frozenset([case.id])) for case in cases)
    plan = Plan(tuple(cases), {case.id: Contents("c", "s") for case in cases}, batches)
    return SceneRuns(None, None, Path(), cases, None, None), plan


def kept(case_id: str):
    """The record of an edited scene that has no scores yet."""
    return unscored(case_record(case_id, field=f"scenes/{case_id}/edited.safetensors", field_sha256="f"))


def dispatched(folder: Path, crew: Crew, runs, plan, goes_on=lambda: True, observers=()):
    """(records, ids that observers were told of, lines of the records' file); raises what the dispatch raises."""
    noting = Noting()
    try:
        with RunFolder(folder) as opened:
            owner = Owner(opened, run_record(), (noting, *observers))
            Dispatch(crew, runs, owner, plan, Watchers(owner.observers, goes_on)).work()
    finally:
        crew.told = noting.cases
        crew.lines = (folder / "cases.jsonl").read_bytes().count(b"\n")
    return read_cases(folder)
