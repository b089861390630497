"""Models for other programs: ONNX, StableHLO, their cards, and inference that needs no jax."""
