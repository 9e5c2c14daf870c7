"""Keyed draws: the same numbers whatever surrounds them, and standard normal ones."""

import pytest
import torch

from piva import noise

KEY = {"seed": 3, "case_id": "000000000007", "step": 11, "purpose": "eps"}


def test_a_draw_is_a_function_of_its_key():
    first = noise.draw((4, 8, 8), **KEY)
    torch.manual_seed(0)
    torch.randn(5)
    assert torch.equal(noise.draw((4, 8, 8), **KEY), first)
    assert first.dtype == torch.float32


def test_a_draw_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    noise.draw((4,), **KEY)
    noise.uniform((4,), 0, 1, **KEY)
    noise.uniform_t(0, 9, **KEY)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("changed", [{"seed": 4}, {"case_id": "8"}, {"step": 12}, {"purpose": "t"}])
def test_every_part_of_the_key_counts(changed):
    assert noise.key(**KEY | changed) != noise.key(**KEY)


def test_neighbouring_fields_do_not_run_into_each_other():
    assert noise.key(seed=1, case_id="12", step=3, purpose="a") != noise.key(seed=11, case_id="2", step=3, purpose="a")


def test_the_numbers_of_a_key_are_pinned():
    """A change of the recipe would silently change every result: raise the key version, and this, together."""
    assert noise.key(**KEY) == 103771238087821772241570110276965335170
    normal = torch.tensor([0.5643703, -0.6582082, -1.2287493, -0.0595189])
    torch.testing.assert_close(noise.draw((4,), **KEY), normal, atol=1e-6, rtol=0)
    uniform = torch.tensor([0.2837306, 0.2991522, 0.3562338])
    torch.testing.assert_close(noise.uniform((3,), 0, 1, **KEY), uniform, atol=1e-6, rtol=0)


def test_keys_that_agree_in_their_low_bits_draw_different_numbers(monkeypatch):
    """PyTorch's CPU generator reads 32 bits of its seed, so that it repeats itself after some ten thousand keys."""
    drawn = []
    for high in (0, 1 << 32, 1 << 64, 1 << 127):
        monkeypatch.setattr(noise, "key", lambda high=high, **_: 12345 + high)
        drawn.append((tuple(noise.draw((4,), **KEY).tolist()), tuple(noise.uniform((4,), 0, 1, **KEY).tolist())))
    assert len({normal for normal, _ in drawn}) == len({uniform for _, uniform in drawn}) == 4


def test_a_method_s_own_draws_are_not_the_step_s():
    plan = noise.DrawPlan(0, ("b",), 50, 948, torch.linspace(0.99, 0.01, 1000), torch.zeros(1, 4, 8, 8))
    for purpose in ("", "aux-0/"):
        assert not torch.equal(plan.normal(7, purpose + "eps"), plan.at(7, purpose).eps)
    assert not torch.equal(plan.normal(7, "eps"), plan.normal(7, "other"))
    assert torch.equal(plan.normal(7, "eps"), plan.normal(7, "eps"))


def test_draws_do_not_depend_on_threads_or_on_the_batch_around_them():
    threads = torch.get_num_threads()
    one = noise.draw((4, 64, 64), **KEY)
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(noise.draw((4, 64, 64), **KEY), one)
    finally:
        torch.set_num_threads(threads)
    key = {"seed": KEY["seed"], "step": KEY["step"], "purpose": KEY["purpose"], "like": torch.zeros(())}
    batch = noise.draw_batch((4, 64, 64), case_ids=["a", KEY["case_id"], "b"], **key)
    assert torch.equal(batch[1], one)


def test_draws_are_standard_normal():
    numbers = torch.stack([noise.draw((4, 16, 16), **KEY | {"step": step}) for step in range(200)])
    assert numbers.mean().abs() < 4 / numbers.numel() ** 0.5
    assert (numbers.std() - 1).abs() < 4 / (2 * numbers.numel()) ** 0.5
    between_steps = torch.corrcoef(numbers.flatten(1)[:20]).fill_diagonal_(0)
    assert between_steps.abs().max() < 5 / 1024**0.5


def test_timesteps_reach_both_ends_and_are_even():
    drawn = torch.tensor([noise.uniform_t(50, 59, **KEY | {"step": step}) for step in range(5000)])
    counts = torch.bincount(drawn - 50, minlength=10)
    assert counts.numel() == 10
    chi_square = ((counts - 500) ** 2 / 500).sum()
    assert chi_square < 27.9  # 99.9 % of a chi-square with 9 degrees of freedom


def test_a_plan_draws_each_case_from_its_own_key():
    abars = torch.linspace(0.99, 0.01, 1000)
    together = noise.DrawPlan(0, ("a", "b"), 50, 948, abars, torch.zeros(2, 4, 8, 8)).at(7)
    alone = noise.DrawPlan(0, ("b",), 50, 948, abars, torch.zeros(1, 4, 8, 8)).at(7)
    assert together.timesteps[1] == alone.timesteps[0] == int(together.t[1])
    assert torch.equal(together.eps[1:], alone.eps)
    assert together.abar[1].item() == abars[alone.timesteps[0]].item()
    other = noise.DrawPlan(0, ("b",), 50, 948, abars, torch.zeros(1, 4, 8, 8)).at(7, "aux-0/")
    assert other.timesteps != alone.timesteps
    assert not torch.equal(other.eps, alone.eps)


def test_a_law_moves_the_steps_own_timesteps_and_nothing_else():
    """The noise, and what an auxiliary's own passes draw, is what it is under every law."""
    case, abars, like = ("b",), torch.linspace(0.99, 0.01, 1000), torch.zeros(1, 4, 8, 8)
    uniform, annealed, decreasing = (
        noise.DrawPlan(0, case, 50, 948, abars, like, law, 100) for law in ("uniform", "annealed", "decreasing")
    )
    assert [decreasing.at(step).timesteps[0] for step in (0, 50, 99)] == [948, 494, 50]
    late = [annealed.at(step).timesteps[0] for step in range(90, 100)]
    assert max(late) <= 948 - 90 / 99 * 449 + 1
    assert max(uniform.at(step).timesteps[0] for step in range(90, 100)) > 600
    for plan in (annealed, decreasing):
        assert torch.equal(plan.at(99).eps, uniform.at(99).eps)
        assert plan.at(99, "aux-0/").timesteps == uniform.at(99, "aux-0/").timesteps
        assert plan.at(99).abar.item() == abars[plan.at(99).timesteps[0]].item()
