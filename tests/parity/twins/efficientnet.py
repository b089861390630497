"""EfficientNet B0 and V2-S in PyTorch with torchvision's names, and Lite0 with those of its PyPI package."""

from torch import nn
from torch.nn import functional as F

# fused (F) or not (M), expansion, kernel, stride, in, out, layers
TABLES = {
    "b0": "M 1 3 1 32 16 1|M 6 3 2 16 24 2|M 6 5 2 24 40 2|M 6 3 2 40 80 3|M 6 5 1 80 112 3|M 6 5 2 112 192 4"
    "|M 6 3 1 192 320 1",
    "v2_s": "F 1 3 1 24 24 2|F 4 3 2 24 48 4|F 4 3 2 48 64 4|M 4 3 2 64 128 6|M 6 3 1 128 160 9|M 6 3 2 160 256 15",
}


def layers(variant):
    for stage in TABLES[variant].split("|"):
        kind, *numbers = stage.split()
        expand, k, stride, cin, cout, count = map(int, numbers)
        yield [(kind, expand, k, stride if n == 0 else 1, cin if n == 0 else cout, cout) for n in range(count)]


def unit(cin, cout, k, eps, stride=1, groups=1, act=True):
    parts = [nn.Conv2d(cin, cout, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(cout, eps=eps)]
    return nn.Sequential(*parts, *([nn.SiLU()] if act else []))


class Gate(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return self.fc2(F.silu(self.fc1(x.mean((2, 3), keepdim=True)))).sigmoid() * x


class Block(nn.Module):
    def __init__(self, kind, expand, k, stride, cin, cout, eps):
        super().__init__()
        wide = cin * expand
        if kind == "F":
            parts = [unit(cin, wide if expand > 1 else cout, k, eps, stride)]
            parts += [unit(wide, cout, 1, eps, act=False)] if expand > 1 else []
        else:
            parts = [unit(cin, wide, 1, eps)] if expand > 1 else []
            parts += [unit(wide, wide, k, eps, stride, wide), Gate(wide, cin // 4), unit(wide, cout, 1, eps, act=False)]
        self.block = nn.Sequential(*parts)
        self.short = stride == 1 and cin == cout

    def forward(self, x):
        return self.block(x) + x if self.short else self.block(x)


class EfficientNet(nn.Module):
    def __init__(self, variant, num_classes, stride=2, channels=3):
        super().__init__()
        eps = {"b0": 1e-5, "v2_s": 1e-3}[variant]
        stages = list(layers(variant))
        parts = [unit(channels, stages[0][0][4], 3, eps, stride)]
        parts += [nn.Sequential(*[Block(*layer, eps) for layer in stage]) for stage in stages]
        parts.append(unit(stages[-1][-1][5], 1280, 1, eps))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, num_classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class SameConv(nn.Conv2d):
    """Pads to ceil(size / stride) outputs, the odd pixel at the end."""

    def forward(self, x):
        k, s = self.kernel_size[0], self.stride[0]
        need = [max((-(-n // s) - 1) * s + k - n, 0) for n in x.shape[2:]]
        x = F.pad(x, (need[1] // 2, need[1] - need[1] // 2, need[0] // 2, need[0] - need[0] // 2))
        return super().forward(x)


class LiteBlock(nn.Module):
    def __init__(self, _, expand, k, stride, cin, cout):
        super().__init__()
        wide = cin * expand
        if expand > 1:
            self._expand_conv = SameConv(cin, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = SameConv(wide, wide, k, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = SameConv(wide, cout, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(cout, eps=1e-3)
        self.expand, self.short = expand > 1, stride == 1 and cin == cout

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.short else y


class Lite0(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, eps=1e-3)
        self._blocks = nn.Sequential(*[LiteBlock(*layer) for stage in layers("b0") for layer in stage])
        self._conv_head, self._bn1 = SameConv(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, num_classes)

    def forward(self, x):
        x = self._blocks(F.relu6(self._bn0(self._conv_stem(x))))
        return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))
