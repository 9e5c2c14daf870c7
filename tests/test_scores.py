"""The score engine: no row twice, no row in vain, the same scores from the cache."""

import pytest
import torch
from analytic_world import gaussian_prior, make_step

from piva.objectives import x0_hat
from piva.scores import RowCache, ScoreEngine
from piva.step import (
    SOURCE,
    TARGET,
    UNCONDITIONAL,
    Prompt,
    Request,
    conditional,
    featured,
    guided,
    source_aux,
    target_aux,
)  # fmt: skip

CAPTIONS = [("source", "target")] * 2


class Watched:
    """A prior that counts its calls and the rows in each."""

    def __init__(self, prior):
        self._prior, self.calls = prior, []

    def __getattr__(self, name):
        return getattr(self._prior, name)

    def predict(self, x, t, embedding, segments=(), **tap):
        self.calls.append((len(x), torch.is_grad_enabled()))
        return self._prior.predict(x, t, embedding, segments, **tap)


@pytest.fixture
def prior():
    return Watched(gaussian_prior())


def test_what_is_asked_comes_in_one_call_without_gradient(prior):
    step = make_step(prior)
    engine = ScoreEngine(prior, CAPTIONS)
    engine.ask(step)(tgt=guided(step.x_t, TARGET, 7.5), src=guided(step.x_t_src, SOURCE, 7.5))
    assert prior.calls == [(8, False)]
    assert engine.rows_forward == [4, 4]


def test_an_unconditional_row_is_shared_where_x_is_the_same(prior):
    step = make_step(prior)
    engine = ScoreEngine(prior, CAPTIONS)
    shared = engine.ask(step)(tgt=guided(step.x_t, TARGET, 7.5), src=guided(step.x_t, SOURCE, 3.0))
    assert prior.calls == [(6, False)]
    alone = ScoreEngine(prior, CAPTIONS).ask(step)(src=guided(step.x_t, SOURCE, 3.0))
    torch.testing.assert_close(shared.src, alone.src)


def test_a_second_question_in_a_step_runs_only_what_is_new(prior):
    step = make_step(prior)
    ask = ScoreEngine(prior, CAPTIONS).ask(step)
    first = ask(tgt=guided(step.x_t, TARGET, 7.5))
    c, u, src = (conditional(step.x_t, prompt) for prompt in (TARGET, UNCONDITIONAL, SOURCE))
    second = ask(c=c, u=u, src=src)
    assert prior.calls == [(4, False), (2, False)]
    torch.testing.assert_close(second.u + 7.5 * (second.c - second.u), first.tgt)


@pytest.mark.parametrize(("s", "rows"), [(0.0, 1), (1.0, 1), (0.5, 2)])
def test_guidance_0_and_1_take_one_row(prior, s, rows):
    step = make_step(prior)
    engine = ScoreEngine(prior, CAPTIONS)
    e = engine.ask(step)(e=guided(step.x_t, TARGET, s)).e
    assert engine.rows_forward == [rows] * 2
    both = engine.ask(step)(c=conditional(step.x_t, TARGET), u=conditional(step.x_t, UNCONDITIONAL))
    torch.testing.assert_close(e, both.u + s * (both.c - both.u))


def test_every_case_has_its_own_captions(prior):
    step = make_step(prior)
    engine = ScoreEngine(prior, [("source", "target"), ("target", "source")])
    mixed = engine.ask(step)(e=conditional(step.x_t, TARGET)).e
    plain = ScoreEngine(prior, CAPTIONS).ask(step)(t=conditional(step.x_t, TARGET), s=conditional(step.x_t, SOURCE))
    torch.testing.assert_close(mixed, torch.stack([plain.t[0], plain.s[1]]))


def test_prompts_beside_the_captions():
    assert Prompt("src", ", blurry").spelled("a cat", "a dog") == "a cat, blurry"
    assert Prompt(None, "ugly").spelled("a cat", "a dog") == "ugly"
    assert TARGET.spelled("a {src}", "{src} {tgt}") == "{src} {tgt}"
    assert UNCONDITIONAL.spelled("a cat", "a dog") == ""


def test_a_negative_prompt_is_a_row_like_any_other(prior):
    """CSD: a c + b e_neg + d u, in one call."""
    step = make_step(prior)
    flaws = Prompt(None, "flaws")
    e = ScoreEngine(prior, CAPTIONS).ask(step)(
        c=conditional(step.x_t, TARGET), neg=conditional(step.x_t, flaws), u=conditional(step.x_t, UNCONDITIONAL)
    )
    assert prior.calls == [(6, False)]
    expected = prior.predict(step.x_t, step.t, prior.embed(["flaws"] * 2))
    torch.testing.assert_close(e.neg, expected)


def test_a_score_at_an_x_that_requires_grad_can_be_differentiated(prior):
    """IDS: the gradient of || z^ - x0_hat(x) || with respect to x, through the guided score."""
    step = make_step(prior)
    engine = ScoreEngine(prior, CAPTIONS)
    ask = engine.ask(step)
    x = step.x_t_src.clone().requires_grad_()
    e = ask(e=guided(x, SOURCE, 7.5)).e
    (found,) = torch.autograd.grad((step.z_src - x0_hat(e, x, step.abar)).flatten(1).norm(dim=1).sum(), x)
    assert engine.rows_backward == [2, 2]
    assert prior.calls == [(4, True)]

    def distance(x):
        c = prior.predict(x, step.t, prior.embed(["source"] * 2))
        u = prior.predict(x, step.t, prior.embed([""] * 2))
        return (step.z_src - x0_hat(u + 7.5 * (c - u), x, step.abar)).flatten(1).norm(dim=1).sum()

    direction = torch.ones_like(x)
    nudged = (distance(step.x_t_src + 1e-5 * direction) - distance(step.x_t_src - 1e-5 * direction)) / 2e-5
    torch.testing.assert_close((found * direction).sum(), nudged, rtol=1e-6, atol=1e-8)


def test_auxiliary_rows_go_through_their_own_adapters(prior):
    step = make_step(prior)
    pair = {name: prior.adapter(None, 0, ["a", "b"]) for name in ("psi", "phi")}
    pair["phi"].mean.data += 1
    e = ScoreEngine(prior, CAPTIONS, pair).ask(step)(
        phi=target_aux(step.x_t, TARGET), psi=source_aux(step.x_t, SOURCE), c=conditional(step.x_t, SOURCE)
    )
    assert prior.calls == [(6, False)]
    torch.testing.assert_close(e.phi, pair["phi"].eps(step.x_t, step.abar).detach())
    torch.testing.assert_close(e.psi, pair["psi"].eps(step.x_t, step.abar).detach())
    assert not e.psi.requires_grad


def test_v_prediction_gives_the_same_scores():
    eps_prior, v_prior = gaussian_prior(), gaussian_prior(prediction="v_prediction")
    step = make_step(eps_prior)
    found, expected = (
        ScoreEngine(prior, CAPTIONS).ask(step)(e=guided(step.x_t, TARGET, 7.5)).e for prior in (v_prior, eps_prior)
    )
    torch.testing.assert_close(found, expected)


def engine_with(prior, cache, case_ids=("a", "b"), captions=CAPTIONS):
    return ScoreEngine(prior, captions, cache=cache, sources=[("image", 0, case_id) for case_id in case_ids])


def ask_dds(engine, step):
    return engine.ask(step)(tgt=guided(step.x_t, TARGET, 7.5), src=guided(step.x_t_src, SOURCE, 7.5))


def test_source_rows_come_from_the_cache_when_the_draw_repeats(prior):
    cache, step = RowCache(), make_step(prior)
    cold = ask_dds(engine_with(prior, cache), step)
    warm_engine = engine_with(prior, cache)
    warm = ask_dds(warm_engine, make_step(prior))
    assert prior.calls == [(8, False), (4, False)]
    assert warm_engine.rows_forward == [2, 2]
    assert torch.equal(cold.src, warm.src)
    assert torch.equal(cold.tgt, warm.tgt)


def test_a_batch_with_some_cases_in_the_cache_runs_the_others(prior):
    cache = RowCache()
    ask_dds(engine_with(prior, cache, ["a"], CAPTIONS[:1]), make_step(prior, ["a"]))
    step = make_step(prior)
    engine = engine_with(prior, cache)
    mixed = ask_dds(engine, step)
    assert engine.rows_forward == [2, 4]
    plain = ask_dds(ScoreEngine(prior, CAPTIONS), step)
    torch.testing.assert_close(mixed.src, plain.src)
    torch.testing.assert_close(mixed.tgt, plain.tgt)


def test_another_prompt_source_or_draw_is_not_mistaken_for_a_cached_one(prior):
    cache, step = RowCache(), make_step(prior)
    ask_dds(engine_with(prior, cache), step)
    other_prompt = engine_with(prior, cache, captions=[("flaws", "target")] * 2)
    ask_dds(other_prompt, step)
    assert other_prompt.rows_forward == [3, 3]  # the unconditional source row is the same
    for sources in ([("image", 1, "a"), ("image", 1, "b")], [("other image", 0, "a"), ("other image", 0, "b")]):
        other = ScoreEngine(prior, CAPTIONS, cache=cache, sources=sources)
        ask_dds(other, step)
        assert other.rows_forward == [4, 4]


def test_an_auxiliary_reads_the_depth_of_what_it_is_shown(prior):
    """psi at the noised source reads the source's depth, at the current render the current one, as phi does."""
    step = make_step(prior)
    seen = {}

    class Reader(Watched):
        def predict(self, x, t, embedding, segments=()):
            seen.update({(segment.start, id(segment.depth)): segment.adapter for segment in segments})
            return super().predict(x, t, embedding, segments)

    depth, depth_src = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    adapters = {name: prior.adapter(None, 0, ["a", "b"]) for name in ("psi", "phi")}
    engine = ScoreEngine(Reader(prior), CAPTIONS, adapters, depth=depth, depth_src=depth_src)
    engine.ask(step)(
        at_source=source_aux(step.x_t_src, SOURCE), psi=source_aux(step.x_t, SOURCE), phi=target_aux(step.x_t, TARGET)
    )
    assert seen == {
        (0, id(depth_src)): adapters["psi"],
        (2, id(depth)): adapters["psi"],
        (4, id(depth)): adapters["phi"],
    }


def test_a_row_for_some_cases_is_run_for_those_alone(prior):
    step = make_step(prior)
    engine = ScoreEngine(prior, CAPTIONS)
    e = engine.ask(step)(some=Request(step.x_t, TARGET, cases=(1,)), src=conditional(step.x_t, SOURCE))
    assert prior.calls == [(3, False)]
    assert engine.rows_forward == [1, 2]
    alone = ScoreEngine(prior, CAPTIONS).ask(step)(e=conditional(step.x_t, TARGET)).e
    torch.testing.assert_close(e.some, torch.stack([torch.zeros_like(alone[0]), alone[1]]))


def test_features_come_with_the_rows_that_ask_for_them(prior):
    """The analytic prior's feature is x; those with a gradient are a call of their own."""
    step = make_step(prior)
    x = step.x_t.clone().requires_grad_()
    e = ScoreEngine(prior, CAPTIONS).ask(step)(
        u=conditional(step.x_t, UNCONDITIONAL), tgt=featured(x, TARGET), src=featured(step.x_t_src, SOURCE)
    )
    assert prior.calls == [(4, False), (2, True)]
    assert list(e.features) == ["tgt", "src"]
    torch.testing.assert_close(e.features["src"], [step.x_t_src])
    (gradient,) = torch.autograd.grad(e.features["tgt"][0].square().sum(), x)
    torch.testing.assert_close(gradient, 2 * step.x_t)


def test_a_source_row_with_features_is_not_served_from_the_cache(prior):
    step = make_step(prior)
    cache = RowCache()
    for _ in range(2):
        engine = ScoreEngine(prior, CAPTIONS, cache=cache, sources=["a", "b"])
        e = engine.ask(step)(src=featured(step.x_t_src, SOURCE), u=conditional(step.x_t_src, UNCONDITIONAL))
        torch.testing.assert_close(e.features["src"], [step.x_t_src])
    assert prior.calls == [(4, False), (2, False)]
