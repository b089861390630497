"""StyleGAN2's synthesis network in PyTorch under the official names: see fergen.models.stylegan2_synthesis.

Styles scale the activations, as in our own form, so that one kernel serves the batch: faster on a CPU than grouped
convolutions.
"""

import math

import torch
from torch import nn
from torch.nn import functional

GAIN = 2**0.5


def blurred(x, plane, gain):
    """Filter each channel of x [n, c, h, w]."""
    kernel = (plane * gain).expand(x.shape[1], 1, -1, -1)
    return functional.conv2d(x, kernel, groups=x.shape[1])


class Affine(nn.Module):
    def __init__(self, w, features):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(features, w)), nn.Parameter(torch.ones(features))

    def forward(self, w):
        return functional.linear(w, self.weight / math.sqrt(w.shape[1]), self.bias)


class Layer(nn.Module):
    def __init__(self, w, cin, features, size, up):
        super().__init__()
        self.affine, self.up = Affine(w, cin), up
        self.weight = nn.Parameter(torch.randn(features, cin, 3, 3))
        self.noise_strength, self.bias = nn.Parameter(torch.zeros([])), nn.Parameter(torch.zeros(features))
        self.register_buffer("noise_const", torch.randn(size, size))

    def forward(self, x, w, plane):
        styles = self.affine(w)
        x = x * styles[:, :, None, None]
        if self.up:
            x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = blurred(functional.pad(x, (1, 1, 1, 1)), plane, 4)
        else:
            x = functional.conv2d(x, self.weight, padding=1)
        energy = styles.square() @ self.weight.square().sum((2, 3)).T
        x = x * (energy + 1e-8).rsqrt()[:, :, None, None] + self.noise_const * self.noise_strength
        x = functional.leaky_relu(x + self.bias[:, None, None], 0.2) * GAIN
        return x.clamp(-256, 256)


class Colours(nn.Module):
    def __init__(self, w, cin, colours):
        super().__init__()
        self.affine = Affine(w, cin)
        self.weight = nn.Parameter(torch.randn(colours, cin, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, x, w):
        styles = self.affine(w) / math.sqrt(x.shape[1])
        return functional.conv2d(x * styles[:, :, None, None], self.weight, self.bias).clamp(-256, 256)


class Block(nn.Module):
    def __init__(self, w, cin, features, size, colours):
        super().__init__()
        if cin:
            self.conv0 = Layer(w, cin, features, size, up=True)
        else:
            self.const = nn.Parameter(torch.randn(features, size, size))
        self.conv1 = Layer(w, features, features, size, up=False)
        self.torgb = Colours(w, features, colours)

    def forward(self, x, image, ws, plane):
        if x is None:
            x, image = self.conv1(self.const.expand(len(ws), -1, -1, -1), ws[:, 0], plane), 0
            return x, self.torgb(x, ws[:, 1])
        x = self.conv1(self.conv0(x, ws[:, 0], plane), ws[:, 1], plane)
        # Twice the resolution: a zero after each pixel, then the filter.
        n, c, h, wide = image.shape
        image = functional.pad(image.reshape(n, c, h, 1, wide, 1), (0, 1, 0, 0, 0, 1)).reshape(n, c, 2 * h, 2 * wide)
        image = blurred(functional.pad(image, (2, 1, 2, 1)), plane, 4)
        return x, image + self.torgb(x, ws[:, 2])


class Synthesis(nn.Module):
    """Styles [n, layers, w] to images [n, colours, size, size]; sizes and channels as of `stylegan2_layout.Layout`."""

    def __init__(self, sizes, channels, w, colours=1):
        super().__init__()
        self.sizes = sizes
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("plane", torch.outer(taps, taps)[None, None], persistent=False)
        for i, (size, features) in enumerate(zip(sizes, channels)):
            setattr(self, f"b{size}", Block(w, channels[i - 1] if i else 0, features, size, colours))

    def forward(self, ws):
        x = image = None
        at = 0
        for i, size in enumerate(self.sizes):
            layers = 2 if i else 1
            x, image = getattr(self, f"b{size}")(x, image, ws[:, at : at + layers + 1], self.plane)
            at += layers
        return image
