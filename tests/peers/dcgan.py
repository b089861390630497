"""Our DCGAN's two networks in PyTorch, unconditional and without grain: see fergen.models.dcgan and gan_critic."""

import torch
from torch import nn
from torch.nn import functional


class StyleNorm(nn.Module):
    def __init__(self, features, style):
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=False)
        self.scale_shift = nn.Linear(style, 2 * features)

    def forward(self, x, style):
        scale, shift = self.scale_shift(style)[:, :, None, None].chunk(2, dim=1)
        return functional.relu(self.norm(x) * (1 + scale) + shift)


class Up(nn.Module):
    def __init__(self, cin, features, style):
        super().__init__()
        self.skip = nn.Conv2d(cin, features, 1, bias=False)
        self.norm_up, self.norm_conv = StyleNorm(cin, style), StyleNorm(features, style)
        self.up = nn.ConvTranspose2d(cin, features, 4, stride=2, padding=1)
        self.conv = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x, style):
        skip = functional.interpolate(self.skip(x), scale_factor=2, mode="nearest")
        return skip + self.conv(self.norm_conv(self.up(self.norm_up(x, style)), style))


class Generator(nn.Module):
    def __init__(self, size=48, channels=1, latent=64, width=32, widest=256):
        super().__init__()
        levels = 3
        self.at = size >> levels
        wide = min(width << (levels - 1), widest)
        self.base = nn.Linear(latent, self.at * self.at * wide)
        blocks, cin = [], wide
        for level in range(levels - 1, 0, -1):
            features = min(width << (level - 1), widest)
            blocks.append(Up(cin, features, latent))
            cin = features
        self.blocks, self.norm = nn.ModuleList(blocks), StyleNorm(cin, latent)
        self.image = nn.Conv2d(cin, 4 * channels, 3, padding=1)

    def forward(self, z):
        x = self.base(z).reshape(len(z), -1, self.at, self.at)
        for block in self.blocks:
            x = block(x, z)
        return torch.tanh(functional.pixel_shuffle(self.image(self.norm(x, z)), 2))


class Down(nn.Module):
    def __init__(self, cin, features):
        super().__init__()
        self.skip = nn.Conv2d(cin, features, 1, bias=False)
        self.conv0, self.conv1 = nn.Conv2d(cin, cin, 3, padding=1), nn.Conv2d(cin, features, 3, padding=1)

    def forward(self, x):
        y = functional.avg_pool2d(self.conv0(functional.leaky_relu(x, 0.2)), 2)
        skip = self.skip(functional.avg_pool2d(x, 2))
        return (skip + self.conv1(functional.leaky_relu(y, 0.2))) * 0.5**0.5


class Critic(nn.Module):
    def __init__(self, size=48, channels=1, width=32, widest=256):
        super().__init__()
        self.stem = nn.Conv2d(4 * channels, width, 3, padding=1)
        downs, cin, at = [], width, size // 2
        for level in range(1, 4):
            features = min(width << level, widest)
            downs.append(Down(cin, features))
            cin, at = features, at // 2
        self.downs = nn.ModuleList(downs)
        self.features, self.logit = nn.Linear((cin + 1) * at * at, widest), nn.Linear(widest, 1)

    def forward(self, images):
        x = self.stem(functional.pixel_unshuffle(images, 2))
        for down in self.downs:
            x = down(x)
        x = functional.leaky_relu(x, 0.2)
        spread = (x.flatten(1).var(dim=0) + 1e-4).sqrt().mean()
        x = torch.cat([x, spread.expand(len(x), 1, *x.shape[2:])], dim=1)
        return self.logit(functional.leaky_relu(self.features(x.flatten(1)), 0.2))[:, 0]
