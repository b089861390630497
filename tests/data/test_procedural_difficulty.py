"""How hard procedural faces are: pixels hold the emotion, but no linear model reads it well."""

import numpy as np

from fergen.data.procedural import faces


def test_a_linear_model_on_pixels_is_above_chance_and_below_a_network():
    from sklearn.linear_model import RidgeClassifier

    drawn = faces.draw(np.arange(3000), seed=0)
    pixels = drawn.images.reshape(3000, -1) / 255.0
    fitted = RidgeClassifier(alpha=1000.0).fit(pixels[:2000], drawn.labels[:2000])
    accuracy = fitted.score(pixels[2000:], drawn.labels[2000:])
    assert 0.25 <= accuracy <= 0.75
