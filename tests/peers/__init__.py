"""The same work in PyTorch, timed in turn with ours: `python -m tests.peers`."""
