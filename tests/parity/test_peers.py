"""What `python -m tests.peers` times does the same work on both sides."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fergen.convert.stylegan2_names import theirs as official  # noqa: E402
from fergen.core import config as configs  # noqa: E402
from fergen.nn import fir  # noqa: E402
from fergen.tasks import stylegan2_nets  # noqa: E402
from fergen.train.setup import prepare  # noqa: E402
from tests.peers import dcgan, limits, ours, stylegan2, theirs  # noqa: E402
from tests.peers.works import WORKS  # noqa: E402

pytestmark = pytest.mark.parity


def test_synthesis_makes_the_same_images():
    work = WORKS["stylegan2_synthesis"]._replace(batch=2)
    predict, variables, ws, layout = ours.styles_of(work)
    own = stylegan2_nets.part(variables, "generator", "synthesis")
    rng = np.random.default_rng(0)
    # Strengths and biases begin at 0, where a mistake in them shows nothing.
    own = jax.tree.map(lambda x: np.asarray(x) + (0.1 * rng.normal(size=x.shape).astype(np.float32)), own)
    state = {
        name: torch.from_numpy(np.array(value))
        for name, value in official(own, fir.normalised((1, 3, 3, 1)), discriminator=False).items()
        if not name.endswith("resample_filter")
    }
    net = stylegan2.Synthesis(layout.sizes, layout.channels, ws.shape[-1]).eval()
    net.load_state_dict(state)
    model = configs.load(work.config).model.to_dict()
    network = stylegan2_nets.networks_of({
        "model": {**model, "dtype": "float32"}, "classes": list("abcdefg"), "conditional": True,
        "image": {"height": 48, "width": 48, "channels": 1}, "nets": ["generator"],
    }).synthesis  # fmt: skip
    expected = network.apply(own, ws)
    with torch.inference_mode():
        found = net(torch.from_numpy(np.array(ws))).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["cnn", "resnet18", "efficientnet", "dcgan"])
def test_networks_have_as_many_parameters(name):
    """Layer by layer the twins of the classifiers are compared in test_torch_twins; here: the same are timed."""
    work = WORKS[name]
    run = prepare(configs.load(work.config, [*work.fields, f"batch_size={work.batch}", "data.name=procedural_n400"]))
    shapes = jax.eval_shape(run.init, jax.random.key(0))
    expected = sum(leaf.size for net in shapes.nets.values() for leaf in jax.tree.leaves(net.params))
    nets = {
        "cnn": lambda: [theirs.cnn.CNN(7)],
        "resnet18": lambda: [theirs.resnet.ResNet(18, 7, "small", 1)],
        "efficientnet": lambda: [theirs.efficientnet.EfficientNet("b0", 7, stride=1, channels=1)],
        "dcgan": lambda: [dcgan.Generator(), dcgan.Critic()],
    }[name]()
    assert sum(p.numel() for net in nets for p in net.parameters()) == expected


def test_rates_of_convolutions_beside_a_product():
    assert 0 < limits.of_product(64) < 1e5
    assert set(limits.of_convolution(8, 4, 4, 2)) == {"forward", "input gradient", "kernel gradient"}
