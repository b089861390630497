"""Where generated faces lie among real ones: maps of their features, and how well a classifier tells them apart."""

import importlib

import numpy as np

from fergen.core.errors import BadInput
from fergen.data import dataset, labels, training_set
from fergen.evals import predictions
from fergen.show import embedding
from fergen.studies import reporting, synthetic
from fergen.studies.runs import Outcome, Study, slug
from fergen.train import feature_spaces

FOLDS = 5


def run(study: Study) -> Outcome:
    """Run the study."""
    config = study.config
    dataset.draw_procedural(config.data, quiet=study.quiet)
    spec = dataset.spec_of(config.data)
    _, sets = synthetic.of_each(study, spec.image_shape, config.n)
    faces = {"real": drawn(dataset.load(config.data, "validation"), config.n)}
    faces |= {"real, training": drawn(dataset.load(config.data, "train"), config.n)}
    faces |= {name: drawn(dataset.load(made, "train"), config.n) for name, made in sets.items()}
    page = reporting.begin(study, "Feature space", (
        "Held-out real faces, training faces and those of each generator, in the features of fixed networks. A picture"
        " of two dimensions says little: the number beside it is how often a linear classifier, cross-validated, tells"
        " a source from held-out real faces. 50 % is chance, and what training faces get is the floor."
    ))  # fmt: skip
    table = []
    for name in config.features:
        space = feature_spaces.load(name)
        vectors = {s: predictions.logits(space.fn, space.variables, split.images, 64) for s, split in faces.items()}
        told = {source: two_sample(vectors["real"], found) for source, found in vectors.items() if source != "real"}
        table += [
            {"feature space": name, "source": source, "told from real, %": f"{100 * mean:.1f} ± {100 * spread:.1f}",
             "faces": len(vectors[source])}
            for source, (mean, spread) in told.items()
        ]  # fmt: skip
        page.section(f"Features of {name}")
        source = np.concatenate([np.full(len(v), s) for s, v in vectors.items()])
        emotion = np.concatenate([np.array(split.spec.classes)[split.labels] for split in faces.values()])
        for method in config.methods:
            points = flattened(np.concatenate(list(vectors.values())), method)
            picture = study.workdir / "pictures" / f"{slug(name)}_{method}.png"
            page.picture(
                embedding.draw(points, {"source": source, "expression": emotion}, picture, title=f"{name}, {method}")
            )
    page.section("A classifier between two samples")
    page.table(table, caption=f"Mean and sd over {FOLDS} folds of a logistic regression.")
    return reporting.end(study, page, table=table)


def drawn(split: dataset.Split, n: int) -> dataset.Split:
    """Return n rows of a split in the shares of its classes, or all of fewer."""
    return labels.rows_of(split, training_set.stratified(split.labels, min(n, len(split))))


def two_sample(real: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Return the balanced accuracy of telling two samples apart, mean and sd over folds.

    Lopez-Paz & Oquab 2017 (arXiv:1610.06545): the accuracy of a classifier on held-out rows is the statistic.

    Args:
        real: float [n, d].
        other: float [m, d].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    labels = np.repeat([0, 1], [len(real), len(other)])
    found = cross_val_score(model, np.concatenate([real, other]), labels, cv=folds, scoring="balanced_accuracy")
    return float(found.mean()), float(found.std(ddof=1))


def flattened(vectors: np.ndarray, method: str) -> np.ndarray:
    """Return vectors [n, d] as points of a plane, [n, 2], by "tsne" or "umap".

    Raises:
        BadInput: another method, or one that is not installed.
    """
    from sklearn.decomposition import PCA

    vectors = PCA(min(50, *vectors.shape), random_state=0).fit_transform(vectors)
    if method == "tsne":
        from sklearn.manifold import TSNE

        return TSNE(perplexity=min(30, len(vectors) // 4), random_state=0, init="pca").fit_transform(vectors)
    if method == "umap":
        try:
            UMAP = importlib.import_module("umap").UMAP
        except ImportError:
            raise BadInput("--config.methods=umap: not installed; pip install 'fergen[umap]', or take tsne") from None
        return UMAP(random_state=0, n_jobs=1).fit_transform(vectors)
    raise BadInput(f"--config.methods={method}: expected tsne or umap")
