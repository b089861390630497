"""VGG in PyTorch with torchvision's module names."""

from torch import nn

LAYERS = {
    16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
    19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
}


class VGG(nn.Module):
    def __init__(self, depth, num_classes, batch_norm=True, hidden=4096):
        super().__init__()
        modules, cin = [], 3
        for item in LAYERS[depth].split():
            if item == "M":
                modules.append(nn.MaxPool2d(2))
                continue
            modules.append(nn.Conv2d(cin, int(item), 3, padding=1))
            modules += [nn.BatchNorm2d(int(item))] * batch_norm + [nn.ReLU()]
            cin = int(item)
        self.features = nn.Sequential(*modules)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 49, hidden), nn.ReLU(), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, num_classes),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))
