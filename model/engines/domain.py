"""What a checkpoint may read, by its own word; without loading torch."""

import json
from pathlib import Path

from model.errors import CheckpointError
from model.options import DOMAIN_KEY, Domain

_FILE = "config.json"


def declared_domain(checkpoint: Path) -> Domain:
    """Return what `config.json` declares; without our own key: films of people.

    The engine judges the same file when it loads. Raises `CheckpointError`.
    """
    path = checkpoint / _FILE
    try:
        values = json.loads(path.read_text("utf-8"))
        return Domain(str(values.get(DOMAIN_KEY, Domain.RADIOGRAPH.value)))
    except FileNotFoundError as error:
        raise CheckpointError(f"{_FILE} is missing in {checkpoint}") from error
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
