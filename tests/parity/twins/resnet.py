"""ResNet in PyTorch with torchvision's module names."""

from torch import nn


def conv(cin, cout, k, stride=1):
    return nn.Conv2d(cin, cout, k, stride, padding=k // 2, bias=False)


class Residual(nn.Module):
    def __init__(self, cin, planes, stride, deep):
        super().__init__()
        cout = planes * 4 if deep else planes
        self.deep = deep
        self.relu = nn.ReLU()
        if deep:
            self.conv1, self.bn1 = conv(cin, planes, 1), nn.BatchNorm2d(planes)
            self.conv2, self.bn2 = conv(planes, planes, 3, stride), nn.BatchNorm2d(planes)
            self.conv3, self.bn3 = conv(planes, cout, 1), nn.BatchNorm2d(cout)
        else:
            self.conv1, self.bn1 = conv(cin, planes, 3, stride), nn.BatchNorm2d(planes)
            self.conv2, self.bn2 = conv(planes, planes, 3), nn.BatchNorm2d(planes)
        self.downsample = None
        if stride > 1 or cin != cout:
            self.downsample = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x):
        short = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        if self.deep:
            y = self.bn3(self.conv3(self.relu(y)))
        return self.relu(y + short)


class ResNet(nn.Module):
    def __init__(self, depth, num_classes, stem="imagenet", channels=3):
        super().__init__()
        counts, deep = {18: ([2, 2, 2, 2], False), 34: ([3, 4, 6, 3], False), 50: ([3, 4, 6, 3], True)}[depth]
        small = stem == "small"
        self.conv1 = conv(channels, 64, 3, 1) if small else conv(channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, 2, 1)
        cin = 64
        for n, count in enumerate(counts):
            planes, blocks = 64 << n, []
            for i in range(count):
                blocks.append(Residual(cin, planes, 2 if n > 0 and i == 0 else 1, deep))
                cin = planes * (4 if deep else 1)
            setattr(self, f"layer{n + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(cin, num_classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(x.mean((2, 3)))
