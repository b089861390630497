"""FID's Inception v3 in PyTorch, with the names of the copy that FID implementations share."""

import torch
from torch import nn
from torch.nn import functional as F


class Unit(nn.Module):
    def __init__(self, cin, cout, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=1e-3)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


def row(cin, cout, k):
    return Unit(cin, cout, (1, k), padding=(0, k // 2))


def column(cin, cout, k):
    return Unit(cin, cout, (k, 1), padding=(k // 2, 0))


def average(x):
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Branches(nn.Module):
    """Chains the modules `prefix_1`, `prefix_2`, ..."""

    def run(self, x, prefix):
        for name, module in self.named_children():
            if name.rpartition("_")[0] == prefix and name[-1].isdigit():
                x = module(x)
        return x


class A(Branches):
    def __init__(self, cin, pool):
        super().__init__()
        self.branch1x1 = Unit(cin, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Unit(cin, 48, 1), Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Unit(cin, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Unit(64, 96, 3, padding=1), Unit(96, 96, 3, padding=1)
        self.branch_pool = Unit(cin, pool, 1)

    def forward(self, x):
        parts = [self.branch1x1(x), self.run(x, "branch5x5"), self.run(x, "branch3x3dbl")]
        return torch.cat([*parts, self.branch_pool(average(x))], 1)


class B(Branches):
    def __init__(self, cin):
        super().__init__()
        self.branch3x3 = Unit(cin, 384, 3, stride=2)
        self.branch3x3dbl_1 = Unit(cin, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Unit(64, 96, 3, padding=1), Unit(96, 96, 3, stride=2)

    def forward(self, x):
        return torch.cat([self.branch3x3(x), self.run(x, "branch3x3dbl"), F.max_pool2d(x, 3, 2)], 1)


class C(Branches):
    def __init__(self, cin, c7):
        super().__init__()
        self.branch1x1 = Unit(cin, 192, 1)
        self.branch7x7_1, self.branch7x7_2, self.branch7x7_3 = Unit(cin, c7, 1), row(c7, c7, 7), column(c7, 192, 7)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Unit(cin, c7, 1), column(c7, c7, 7)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = row(c7, c7, 7), column(c7, c7, 7)
        self.branch7x7dbl_5 = row(c7, 192, 7)
        self.branch_pool = Unit(cin, 192, 1)

    def forward(self, x):
        parts = [self.branch1x1(x), self.run(x, "branch7x7"), self.run(x, "branch7x7dbl")]
        return torch.cat([*parts, self.branch_pool(average(x))], 1)


class D(Branches):
    def __init__(self, cin):
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Unit(cin, 192, 1), Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Unit(cin, 192, 1), row(192, 192, 7)
        self.branch7x7x3_3, self.branch7x7x3_4 = column(192, 192, 7), Unit(192, 192, 3, stride=2)

    def forward(self, x):
        return torch.cat([self.run(x, "branch3x3"), self.run(x, "branch7x7x3"), F.max_pool2d(x, 3, 2)], 1)


class E(Branches):
    def __init__(self, cin, maximum):
        super().__init__()
        self.branch1x1 = Unit(cin, 320, 1)
        self.branch3x3_1 = Unit(cin, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = row(384, 384, 3), column(384, 384, 3)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Unit(cin, 448, 1), Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = row(384, 384, 3), column(384, 384, 3)
        self.branch_pool = Unit(cin, 192, 1)
        self.maximum = maximum

    def forward(self, x):
        three, double = self.run(x, "branch3x3"), self.run(x, "branch3x3dbl")
        pool = F.max_pool2d(x, 3, stride=1, padding=1) if self.maximum else average(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pool)]
        return torch.cat(parts, 1)


class InceptionV3(nn.Module):
    def __init__(self, num_classes=1008):
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Unit(3, 32, 3, stride=2), Unit(32, 32, 3)
        self.Conv2d_2b_3x3, self.Conv2d_3b_1x1 = Unit(32, 64, 3, padding=1), Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = A(192, 32), A(256, 64), A(288, 64)
        self.Mixed_6a = B(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = C(768, 128), C(768, 160), C(768, 160), C(768, 192)
        self.Mixed_7a = D(768)
        self.Mixed_7b, self.Mixed_7c = E(1280, maximum=False), E(2048, maximum=True)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x):
        x = F.max_pool2d(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))), 3, 2)
        x = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return self.fc(x.mean((2, 3)))
