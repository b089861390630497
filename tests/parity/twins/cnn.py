"""The two plain CNNs in PyTorch, under the names that fergen gives their modules."""

from torch import nn


class CNN(nn.Module):
    def __init__(self, num_classes, channels=1):
        super().__init__()
        cin = channels
        for block, filters in enumerate((64, 128, 256, 512), 1):
            for i in (1, 2):
                setattr(self, f"block{block}_conv{i}", nn.Conv2d(cin, filters, 3, padding=1, bias=False))
                setattr(self, f"block{block}_bn{i}", nn.BatchNorm2d(filters))
                cin = filters
        self.fc1, self.fc2, self.fc3 = nn.Linear(512 * 3 * 3, 512), nn.Linear(512, 256), nn.Linear(256, num_classes)

    def forward(self, x):
        for block in range(1, 5):
            for i in (1, 2):
                x = getattr(self, f"block{block}_conv{i}")(x)
                x = getattr(self, f"block{block}_bn{i}")(x).relu()
            x = nn.functional.max_pool2d(x, 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class CNNSimple(nn.Module):
    def __init__(self, num_classes, channels=1):
        super().__init__()
        cin = channels
        for i, filters in enumerate((32, 64, 128), 1):
            setattr(self, f"conv{i}", nn.Conv2d(cin, filters, 3, padding=1, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(filters))
            cin = filters
        self.fc1, self.fc2 = nn.Linear(128 * 6 * 6, 128), nn.Linear(128, num_classes)

    def forward(self, x):
        for i in (1, 2, 3):
            x = nn.functional.max_pool2d(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)).relu(), 2)
        return self.fc2(self.fc1(x.flatten(1)).relu())
