"""MobileNetV3 in PyTorch with torchvision's module names."""

from torch import nn

# in, kernel, expanded, out, squeeze channels (0: none), activation, stride
TABLES = {
    "small": """16 3 16 16 8 R 2 | 16 3 72 24 0 R 2 | 24 3 88 24 0 R 1 | 24 5 96 40 24 H 2 | 40 5 240 40 64 H 1
        | 40 5 240 40 64 H 1 | 40 5 120 48 32 H 1 | 48 5 144 48 40 H 1 | 48 5 288 96 72 H 2 | 96 5 576 96 144 H 1
        | 96 5 576 96 144 H 1""",
    "large": """16 3 16 16 0 R 1 | 16 3 64 24 0 R 2 | 24 3 72 24 0 R 1 | 24 5 72 40 24 R 2 | 40 5 120 40 32 R 1
        | 40 5 120 40 32 R 1 | 40 3 240 80 0 H 2 | 80 3 200 80 0 H 1 | 80 3 184 80 0 H 1 | 80 3 184 80 0 H 1
        | 80 3 480 112 120 H 1 | 112 3 672 112 168 H 1 | 112 5 672 160 168 H 2 | 160 5 960 160 240 H 1
        | 160 5 960 160 240 H 1""",
}


def unit(cin, cout, k, stride=1, groups=1, act=None):
    parts = [
        nn.Conv2d(cin, cout, k, stride, (k - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(cout, eps=0.001, momentum=0.01),
    ]
    return nn.Sequential(*parts, *([act()] if act else []))


class Gate(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * nn.functional.hardsigmoid(self.fc2(self.fc1(self.avgpool(x)).relu()))


class Inverted(nn.Module):
    def __init__(self, cin, k, wide, cout, squeezed, act, stride):
        super().__init__()
        act = nn.Hardswish if act == "H" else nn.ReLU
        parts = [unit(cin, wide, 1, act=act)] if wide != cin else []
        parts.append(unit(wide, wide, k, stride, wide, act))
        if squeezed:
            parts.append(Gate(wide, squeezed))
        parts.append(unit(wide, cout, 1))
        self.block = nn.Sequential(*parts)
        self.short = stride == 1 and cin == cout

    def forward(self, x):
        return x + self.block(x) if self.short else self.block(x)


class MobileNetV3(nn.Module):
    def __init__(self, variant, num_classes):
        super().__init__()
        rows = [row.split() for row in TABLES[variant].split("|")]
        parts = [unit(3, 16, 3, 2, act=nn.Hardswish)]
        for cin, k, wide, cout, squeezed, act, stride in rows:
            parts.append(Inverted(int(cin), int(k), int(wide), int(cout), int(squeezed), act, int(stride)))
        last = int(rows[-1][3])
        parts.append(unit(last, last * 6, 1, act=nn.Hardswish))
        self.features = nn.Sequential(*parts)
        hidden = {"small": 1024, "large": 1280}[variant]
        self.classifier = nn.Sequential(
            nn.Linear(last * 6, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, num_classes)
        )

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))
