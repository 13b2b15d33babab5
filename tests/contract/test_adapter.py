"""The contract of every adapter: few parameters trained, everything else stands still, the model stays a model."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.adapters.layer_norm import LayerNorms
from limner.nn.adapters.linear_probe import LinearProbe
from limner.nn.adapters.lora import Lora, merge
from limner.nn.adapters.projectors import Projectors
from limner.nn.adapters.prompts import Prompts
from limner.nn.adapters.side_network import SideNetwork, SideTower
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers
from limner.train.experiment import Adapter
from limner.train.export import run, text_graph

VOCABULARY, WIDTH, D = 60, 16, 16
EXACT = [
    Lora(rank=2),
    Lora(rank=2, targets=("attention.into",), sides=("text",)),
    Lora(rank=2, projections=True),
    LayerNorms(),
    LinearProbe(),
    LayerNorms(biases=False, sides=("text",)),
    SideNetwork(reduction=4),
    SideNetwork(reduction=4, projections=True),
    SideNetwork(reduction=4, attention="softmax", confidence=False, sides=("image",)),
]
NEAR = [Prompts(count=2), Projectors(), Projectors(tokens=False)]
ALL = [*EXACT, *NEAR]
every_adapter = pytest.mark.parametrize("adapter", ALL, ids=repr)


def model() -> TwoTowers:
    torch.manual_seed(0)
    towers = Towers(PictureTower((8, 8), WIDTH, 2, heads=2), TextTower(WIDTH, 3, heads=2, dropout=0.3), D, tokens=True)
    built = towers.build((3, 32, 32), VOCABULARY, 12)
    for part in built.modules():  # as after training: no norm, mean or bias is where it starts
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.weight, 0.5, 1.5)
        if isinstance(part, nn.Linear | nn.LayerNorm):
            nn.init.normal_(part.bias, std=0.1)
    return built


def adapted(adapter: Adapter) -> TwoTowers:
    built = model()
    torch.manual_seed(1)
    adapter.attach(built)
    return built


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, VOCABULARY, (6, 9), generator=generator)
    ids[2, 4:] = 0
    return torch.rand(6, 3, 32, 32, generator=generator), ids, torch.arange(6)


def vectors(model: TwoTowers) -> Tensor:
    images, ids, group = batch()
    return torch.stack([model.encode_image(images, group).vectors, model.encode_text(ids, group).vectors])


def trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def step(model: TwoTowers, rate: float = 0.05) -> None:
    optimiser = torch.optim.AdamW([parameter for _, parameter in trained(model)], rate)
    images, ids, group = batch()
    image, text = model.encode_image(images, group), model.encode_text(ids, group)
    nn.functional.cross_entropy(10 * model.similarity(image, text), group).backward()
    optimiser.step()


@every_adapter
def test_trains_fewer_parameters_than_the_model_has(adapter: Adapter) -> None:
    whole = sum(parameter.numel() for parameter in model().parameters())
    assert 0 < sum(parameter.numel() for _, parameter in trained(adapted(adapter))) < whole / 3


@pytest.mark.parametrize("adapter", EXACT, ids=repr)
def test_starts_at_the_model(adapter: Adapter) -> None:
    torch.testing.assert_close(vectors(adapted(adapter).train()), vectors(model().eval()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapter", NEAR, ids=repr)
def test_starts_near_the_model(adapter: Adapter) -> None:
    cosine = (vectors(adapted(adapter).eval()) * vectors(model().eval())).sum(-1)
    assert cosine.min() > 0.7


@every_adapter
def test_only_its_own_parameters_move(adapter: Adapter) -> None:
    changed = adapted(adapter).train()
    own = {name for name, _ in trained(changed)}
    before = {name: value.clone() for name, value in changed.state_dict().items()}
    start = vectors(copy.deepcopy(changed).eval())
    for _ in range(2):  # what stands before a layer of zeros moves one step after it
        step(changed)
    assert all((parameter.grad is not None) == (name in own) for name, parameter in changed.named_parameters())
    moved = {name for name, value in changed.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == own
    assert (vectors(changed.eval()) - start).abs().max() > 1e-3


@every_adapter
def test_state_goes_round_and_a_copy_is_independent(adapter: Adapter) -> None:
    first = adapted(adapter)
    average = copy.deepcopy(first)  # as the loop makes one
    step(first)
    second = adapted(adapter)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(vectors(second.eval()), vectors(first.eval()))
    torch.testing.assert_close(vectors(average.eval()), vectors(adapted(adapter).eval()))


@every_adapter
def test_words_and_places_are_still_there(adapter: Adapter) -> None:
    images, ids, group = batch()
    changed = adapted(adapter).eval()
    image, text = changed.encode_image(images, group), changed.encode_text(ids, group)
    assert image.tokens.shape == (6, 4, D)
    assert text.tokens.shape == (6, 9, D)
    assert text.mask.sum().item() == (ids > 0).sum().item()
    alone = changed.encode_text(ids[2:3, :4], group[:1])
    torch.testing.assert_close(alone.vectors[0], text.vectors[2], rtol=1e-4, atol=1e-5)


@every_adapter
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_exports_what_torch_computes(adapter: Adapter) -> None:
    changed = adapted(adapter)
    step(changed)
    _, ids, _ = batch()
    text = changed.text.eval()
    graph = text_graph(text, VOCABULARY)
    for some in (ids, ids[2:3, :4]):
        np.testing.assert_allclose(run(graph, {"tokens": some.numpy()}), text(some).detach().numpy(), atol=1e-3)


def test_merged_lora_has_the_names_and_the_vectors() -> None:
    changed = adapted(Lora(rank=2))
    for _ in range(3):
        step(changed)
    wanted = vectors(changed.eval())
    merge(changed)
    assert changed.state_dict().keys() == model().state_dict().keys()
    torch.testing.assert_close(vectors(changed.eval()), wanted, rtol=1e-4, atol=1e-5)
    assert (wanted - vectors(model().eval())).abs().max() > 1e-3


def graph_of(tensor: Tensor) -> set[int]:
    """Ids of all tensors that the graph behind this one saved or accumulates into."""
    seen, todo, found = set(), [tensor.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        saved = (getattr(node, name, None) for name in dir(node) if name.startswith("_saved_"))
        found.update(value.data_ptr() for value in saved if isinstance(value, Tensor))
        todo.extend(node for node, _ in node.next_functions)
    return found


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("adapter", [SideNetwork(), Projectors()], ids=repr)
def test_no_graph_runs_through_a_frozen_trunk(adapter: Adapter, side: str) -> None:
    images, ids, _ = batch()
    content = images if side == "image" else ids

    def touched(model: TwoTowers, trunk: nn.Module) -> set[int]:
        found = graph_of(getattr(model, side).read(content).vectors)
        return found & {address for weight in trunk.parameters() for address in (id(weight), weight.data_ptr())}

    plain = model()
    assert touched(plain, getattr(plain, side).tower)  # the test can see one
    changed = adapted(adapter).train()
    assert not touched(changed, getattr(changed, side).tower.trunk)


def kept_for_backward(adapter: Adapter) -> int:
    """Bytes that the graph of a batch holds on to, the weights not counted."""
    changed = adapted(adapter).train()
    weights = {parameter.data_ptr() for parameter in changed.parameters()}
    kept: dict[int, Tensor] = {}  # the tensors themselves, so that no address is used twice

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        graph = vectors(changed)
    assert graph.requires_grad
    return sum(tensor.untyped_storage().nbytes() for address, tensor in kept.items() if address not in weights)


def test_side_network_keeps_less_than_half_of_what_lora_keeps() -> None:
    assert kept_for_backward(SideNetwork()) < kept_for_backward(Lora()) / 2


def test_side_network_reads_every_layer_alone() -> None:
    tower = adapted(SideNetwork()).eval().text.tower
    assert isinstance(tower, SideTower)
    _, ids, _ = batch()
    hidden, states, mask = tower.read(ids)
    assert len(hidden) == 3
    torch.testing.assert_close(hidden[0], tower.trunk.tokens(ids) + tower.trunk.positions[:9])
    layers = [down(one) for down, one in zip(tower.down, hidden, strict=True)]
    weights = tower.confidences(tower.anchor(states), layers, mask)
    torch.testing.assert_close(weights.sum(1), torch.ones(6))
    assert weights.std() > 1e-4
    looks = tower.interact(tower.anchor(states), torch.ones_like(layers[0]), mask)
    assert looks.min() >= 1  # itself once, and the others by weights that sum to 1, or to 0 where nothing is positive
    assert looks.max() <= 2 + 1e-5


@pytest.mark.parametrize("attention", ["sparse", "softmax"])
def test_side_network_does_not_look_at_padding(attention: str) -> None:
    tower = adapted(SideNetwork(attention=attention)).eval().text.tower
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True, True, True, False, False]])
    other = torch.cat([x[:, :3], 9 * x[:, 3:]], 1)
    torch.testing.assert_close(tower.interact(x, x, mask)[:, :3], tower.interact(x, other, mask)[:, :3])


def test_what_an_adapter_cannot_do_is_said() -> None:
    maps = Towers(MapTower(WIDTH), TextTower(WIDTH, 1, heads=2), D)
    for adapter in (Prompts(), SideNetwork()):
        with pytest.raises(InputError, match="MapTransformer has no transformer blocks"):
            adapter.attach(maps.build((4, 6), VOCABULARY, 12))
    with pytest.raises(InputError, match="no linear layer of ConvolutionalTransformer has a name like"):
        Lora(targets=("query",)).attach(model())
    with pytest.raises(InputError, match="'image', 'text' or both"):
        Lora(sides=("images",)).attach(model())
    with pytest.raises(InputError, match="'sparse' or 'softmax'"):
        SideNetwork(attention="dense")
