"""Every layer's output, in PyTorch and in Flax, by the PyTorch name."""

import jax
import torch


def randomise(module, seed):
    """Draw statistics and affine parameters that no default hides."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.2, generator=generator)
            part.running_var.uniform_(0.5, 2.0, generator=generator)
            part.weight.data.uniform_(0.7, 1.3, generator=generator)
            part.bias.data.normal_(0, 0.2, generator=generator)
    return module.eval()


def watch(module):
    """Record the output of every convolution, normalisation and dense layer, NHWC, by name."""
    seen = {}

    def keep(name):
        def hook(_, inputs, output):
            array = output.detach().numpy()
            seen[name] = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array

        return hook

    for name, part in module.named_modules():
        if isinstance(part, (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.Linear)):
            part.register_forward_hook(keep(name))
    return seen


def sown(intermediates, foreign_module):
    """Name the outputs that Flax captured as PyTorch does."""
    found = {}
    for keys, value in jax.tree_util.tree_flatten_with_path(intermediates)[0]:
        *modules, method, _ = (str(getattr(k, "key", k)) for k in keys)
        if method == "__call__":
            found[foreign_module("/".join(modules))] = value
    return found
