"""PyTorch's side of a work, in a process of its own: `python -m tests.peers.theirs WORK SECONDS FORM` prints its rate.

Forms: eager, channels_last, compiled (torch.compile over channels-last); on a GPU under automatic mixed precision in
bfloat16, as our own side.
"""

import json
import sys
import time
from contextlib import nullcontext

import torch
from torch.nn import functional

from fergen.core import config as configs
from fergen.models.stylegan2_layout import Layout
from tests.parity.twins import cnn, efficientnet, resnet
from tests.peers.dcgan import Critic, Generator
from tests.peers.stylegan2 import Synthesis
from tests.peers.works import WORKS, Work

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def half():
    """Return the context of mixed precision on a GPU."""
    return torch.autocast("cuda", torch.bfloat16) if DEVICE == "cuda" else nullcontext()


def placed(module, form: str):
    """Return a module on the device, in a form."""
    module = module.to(DEVICE)
    module = module if form == "eager" else module.to(memory_format=torch.channels_last)
    return torch.compile(module) if form == "compiled" else module


def images(work: Work, form: str):
    """Return random images [n, 1, 48, 48]."""
    x = torch.rand(work.batch, 1, 48, 48, device=DEVICE) * 2 - 1
    return x if form == "eager" else x.to(memory_format=torch.channels_last)


def classifier(work: Work, form: str, net):
    """Return a training step of a classifier by SGD."""
    net = placed(net.train(), form)
    x, y = images(work, form), torch.arange(work.batch, device=DEVICE) % 7
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)

    def step():
        optimiser.zero_grad(set_to_none=True)
        with half():
            loss = functional.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
        return loss

    return step


def dcgan(work: Work, form: str):
    """Return a step of the critic and one of the generator, both by Adam."""
    makes, judges = placed(Generator().train(), form), placed(Critic().train(), form)
    x = images(work, form)
    g, d = (torch.optim.Adam(net.parameters(), lr=4e-4, betas=(0.0, 0.99)) for net in (makes, judges))

    def latents():
        return torch.randn(work.batch, 64, device=DEVICE)

    def step():
        d.zero_grad(set_to_none=True)
        with half():
            with torch.no_grad():
                fakes = makes(latents())
            loss = functional.softplus(-judges(x)).mean() + functional.softplus(judges(fakes)).mean()
        loss.backward()
        d.step()
        g.zero_grad(set_to_none=True)
        judges.requires_grad_(False)
        with half():
            loss = functional.softplus(-judges(makes(latents()))).mean()
        loss.backward()
        judges.requires_grad_(True)
        g.step()
        return loss

    return step


def synthesis_of(work: Work, form: str):
    """Return the synthesis network and styles."""
    model = configs.load(work.config, list(work.fields)).model
    layout = Layout.of((48, 48, 1), channel_base=model.channel_base, channel_max=model.channel_max, num_fp16_res=0)
    net = placed(Synthesis(layout.sizes, layout.channels, model.w_dim).eval().requires_grad_(False), form)
    return net, torch.randn(work.batch, layout.styles, model.w_dim, device=DEVICE)


def synthesis(work: Work, form: str):
    """Return synthesis of a batch."""
    net, ws = synthesis_of(work, form)

    def step():
        with torch.inference_mode(), half():
            return net(ws)[0, 0, 0, 0]

    return step


def latent_search(work: Work, form: str):
    """Return a step of search: through synthesis and the four-block CNN, with Adam."""
    net, ws = synthesis_of(work, form)
    guide = placed(cnn.CNN(7).eval().requires_grad_(False), form)
    moves = torch.zeros(work.batch, 1, ws.shape[-1], device=DEVICE, requires_grad=True)
    optimiser, targets = torch.optim.Adam([moves], lr=0.05), torch.arange(work.batch, device=DEVICE) % 7

    def step():
        optimiser.zero_grad(set_to_none=True)
        with half():
            logits = guide(net(ws + moves).clamp(-1, 1))
        loss = functional.cross_entropy(logits, targets, reduction="sum")
        loss = loss + 0.1 * (ws + moves).square().mean((1, 2)).sum() + 0.1 * moves.square().mean((1, 2)).sum()
        loss.backward()
        optimiser.step()
        return loss

    return step


def built(name: str, form: str):
    """Return a work's step."""
    work = WORKS[name]
    networks = {
        "cnn": lambda: cnn.CNN(7),
        "resnet18": lambda: resnet.ResNet(18, 7, "small", 1),
        "efficientnet": lambda: efficientnet.EfficientNet("b0", 7, stride=1, channels=1),
    }
    if name in networks:
        return classifier(work, form, networks[name]())
    return {"dcgan": dcgan, "stylegan2_synthesis": synthesis, "latent_search": latent_search}[name](work, form)


def main() -> None:
    """Measure."""
    name, seconds, form = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    step = built(name, form)

    def done():
        float(step().detach())  # waits for the device

    began = time.perf_counter()
    done()
    compiled = time.perf_counter() - began
    done()
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done()
        calls += 1
    rate = calls * WORKS[name].batch / (time.perf_counter() - began)
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"{torch.get_num_threads()} threads"
    print(json.dumps({"rate": rate, "first": compiled, "how": f"torch {torch.__version__}, {form}, {device}"}))


if __name__ == "__main__":
    main()
