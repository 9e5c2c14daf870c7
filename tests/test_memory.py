"""The memory estimate against real tensors on the CPU, and against sums by hand."""

import dataclasses
import itertools

import pytest
import torch
from diffusers import ControlNetModel
from torch.profiler import ProfilerActivity, profile

from piva.auxiliary.training import PROMPTS
from piva.editing import EditInput, edit_batch
from piva.memory import Meter, estimate
from piva.methods.cds import CDS
from piva.methods.dds import DDS
from piva.methods.ids import IDS
from piva.methods.piva import Piva
from piva.priors import Segment
from piva.priors.shapes import PriorShape
from piva.scores import Row, ScoreEngine


@pytest.fixture(scope="module")
def shape(tiny_prior):
    return PriorShape.of(tiny_prior)


def tiny(shape, method, batch_size=2, dtype=torch.float32, **options):
    return estimate(shape, method, batch_size, dtype, **options)


def inputs(n):
    images = [torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in range(n)]
    return [EditInput(str(i), image, "a red cube", "a blue cube") for i, image in enumerate(images)]


def test_a_meter_counts_storages_while_they_live():
    meter = Meter()
    with meter:
        a = torch.zeros(100)
        view = a[:10]
        assert (meter.live, meter.peak) == (400, 400)
        with meter.span() as span:
            b = torch.cat([a, a])  # 800
            b = b[:1].clone()  # 4; the 800 go
        assert (span.peak, span.kept) == (804, 4)
        del a
        assert meter.live == 404  # the view keeps its storage
        del view, b
    assert (meter.live, meter.peak) == (0, 1204)


def test_what_is_held_from_the_beginning_counts_once():
    weight = torch.zeros(10)
    meter = Meter([weight, weight])
    with meter:
        seen = weight.view(2, 5)
    assert (meter.live, seen.numel()) == (40, 10)


def test_weights_are_the_sum_of_parameters(tiny_prior, shape):
    for dtype, size in ((torch.float32, 4), (torch.float16, 2)):
        weights = tiny(shape, DDS(), dtype=dtype).weights
        count = {part: sum(p.numel() for p in getattr(tiny_prior, part).parameters()) for part in weights}
        assert weights == {
            "unet": size * count["unet"], "vae": 4 * count["vae"], "text_encoder": size * count["text_encoder"]
        }  # fmt: skip


@pytest.mark.parametrize("names", [("psi", "phi"), ("phi",)])
def test_what_is_saved_for_backward_is_what_autograd_saves(tiny_prior, shape, names):
    """The real network with real numbers: every storage its graph holds that was not there before the call."""
    method = Piva(aux={"psi": "stored" if names == ("phi",) else "alongside"})
    ids = ["a", "b"]
    adapters = {name: tiny_prior.adapter(method.aux, 0, ids) for name in names}
    engine = ScoreEngine(tiny_prior, [("a red cube", "a blue cube")] * 2, adapters)
    x = torch.zeros(2, *tiny_prior.latent_shape)
    there = [x, *tiny_prior.unet.parameters(), *(p for a in adapters.values() for p in a.parameters())]
    before = {tensor.untyped_storage().data_ptr() for tensor in there}
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        kept += engine.outputs([Row(x, PROMPTS[name], name) for name in names], torch.tensor([100, 200]))
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
    expected = sum(size for pointer, size in storages.items() if pointer not in before)
    assert tiny(shape, method).saved == expected


@pytest.mark.parametrize(
    "method",
    [
        DDS(),
        Piva(),
        Piva(aux={"phi": "fresh", "steps_per_iteration": 2}),
        Piva(aux={"kind": "controlnet", "depth": "blank"}),
        CDS(),
        IDS(),
    ],
    ids=["dds", "piva", "fresh", "controlnet", "cds", "ids"],
)
def test_the_peak_is_that_of_a_real_edit(tiny_prior, shape, method):
    """A real edit on the CPU, its storages counted by the same meter. A tiny network makes the rest look large: the
    embeddings that a first step has not made yet, and the latents of the loop.
    """
    parts = (tiny_prior.unet, tiny_prior.vae, tiny_prior.text_encoder)
    edit_batch(tiny_prior, method, inputs(2), steps=1, seed=0)  # prompts are encoded now
    meter = Meter(p for part in parts for p in part.parameters())
    with meter:
        edit_batch(tiny_prior, method, inputs(2), steps=2, seed=0)
    assert tiny(shape, method).peak == pytest.approx(meter.peak, rel=0.03)


def test_the_meter_agrees_with_the_allocator(tiny_prior):
    """A training pass of the UNet, as torch's profiler saw the CPU's allocator; kernels' workspaces are the rest."""
    adapter = tiny_prior.adapter(Piva().aux, 0, ["a", "b"])
    z, embedding = torch.zeros(2, *tiny_prior.latent_shape), tiny_prior.embed(["a red cube", "a blue cube"])

    def train():
        out = tiny_prior.predict(z, torch.tensor([100, 200]), embedding, [Segment(adapter, 0)])
        torch.autograd.grad(out.square().sum(), list(adapter.parameters()))

    meter = Meter([z, embedding, *tiny_prior.unet.parameters(), *adapter.parameters()])
    before = meter.live
    with meter:
        train()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        train()
    events = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    assert meter.peak - before == pytest.approx(max(itertools.accumulate(changes)), rel=0.03)


def test_adapters_and_their_optimiser_by_hand(tiny_prior, shape):
    found = tiny(shape, Piva(aux={"rank": 3}), batch_size=5)
    layers = [m for n, m in tiny_prior.unet.named_modules() if n.endswith(("to_q", "to_k", "to_v", "to_out.0"))]
    one = 3 * 4 * sum(layer.in_features + layer.out_features for layer in layers)
    assert found.adapters == 2 * 5 * one  # psi and phi
    counters = 2 * 2 * len(layers) * 4  # a step counter for each A and B
    assert found.optimiser == 2 * found.adapters + counters
    stored = tiny(shape, Piva(aux={"rank": 3, "psi": "stored"}), batch_size=5)
    assert stored.adapters == found.adapters
    assert stored.optimiser == found.optimiser / 2


def test_every_number_grows_with_the_batch_by_the_same_each_time(shape):
    one, two, three = (tiny(shape, Piva(), n) for n in (1, 2, 3))
    for name in ("adapters", "forward", "saved", "encode", "decode"):
        sizes = [getattr(found, name) for found in (one, two, three)]
        assert 0 < sizes[0] < sizes[1]
        assert sizes[2] - sizes[1] == pytest.approx(sizes[1] - sizes[0], rel=1e-3)
    assert one.peak < two.peak < three.peak
    assert one.weights == three.weights


def test_dds_trains_nothing_and_neither_does_piva_at_lambda_0(shape):
    dds, zero = tiny(shape, DDS()), tiny(shape, Piva(lam=0))
    assert (dds.adapters, dds.optimiser, dds.saved) == (0, 0, 0)
    assert dataclasses.asdict(zero) == dataclasses.asdict(dds)
    assert tiny(shape, Piva()).peak > dds.peak


def test_attention_holds_no_matrix_of_queries_by_keys(shape):
    """Four times the tokens, four times the memory; with an L x L matrix it would be up to sixteen times."""
    small, large = (tiny(shape, Piva(), 1, image_size=(side, side)) for side in (64, 128))
    assert large.forward / small.forward == pytest.approx(4, rel=0.05)
    assert large.saved / small.saved == pytest.approx(4, rel=0.05)


def test_half_precision_halves_what_the_unet_holds(shape):
    full, half = tiny(shape, DDS()), tiny(shape, DDS(), dtype=torch.float16)
    assert half.forward == pytest.approx(full.forward / 2, rel=0.1)
    assert half.decode == full.decode  # the VAE runs in float32


def test_a_camera_embedding_by_hand(tiny_prior, shape):
    plain, camera = (tiny(shape, Piva(aux={"camera": told}), batch_size=3) for told in (False, True))
    width = tiny_prior.unet.time_embedding.linear_2.out_features
    assert camera.adapters - plain.adapters == 2 * 3 * 4 * (64 * 16 + width * 64)


def test_the_meta_device_takes_no_memory():
    meter = Meter()
    with meter:
        there = torch.zeros(10, device="meta") + 1
    assert (meter.peak, len(there)) == (0, 10)


def test_controlnets_and_lora_on_one_by_hand(tiny_prior, shape):
    own = tiny(shape, Piva(aux={"kind": "controlnet"}), batch_size=3)
    net = ControlNetModel.from_unet(tiny_prior.unet, conditioning_embedding_out_channels=(16, 32, 96))
    numbers = sum(p.numel() for p in net.parameters())
    assert own.adapters == 2 * 3 * 4 * numbers
    assert own.optimiser == 2 * own.adapters + 2 * len(list(net.parameters())) * 4
    assert "controlnet" not in own.weights
    adapted = tiny(shape, Piva(aux={"kind": "controlnet-lora", "controlnet": "any"}), 3, torch.float16)
    assert adapted.weights["controlnet"] == 2 * numbers
    assert adapted.adapters < own.adapters / 20
    assert own.peak > tiny(shape, Piva(), batch_size=3).peak + own.adapters
