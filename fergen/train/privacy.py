"""Privacy of a run: the weights that its guarantee may rest on."""

from collections.abc import Mapping

from fergen.core.errors import BadInput
from fergen.tasks.private import asked
from fergen.train.restore import Restored


def require_unseen(config, data: Mapping[str, str], field: str, net: Restored) -> None:
    """Check that weights which private training starts from or asks have not seen its training set.

    Args:
        config: of the run.
        data: hash -> name of the training set and of what went into it.
        field: of the config, that names the weights.
        net: the weights.

    Raises:
        BadInput: they have.
    """
    met = sorted(name for digest, name in data.items() if digest in net.lineage["data"])
    if asked(config) and met:
        raise BadInput(
            f"--config.{field}={net.name} with privacy: these weights have seen the training set, {met[0]}; expected"
            " such as have not"
        )
