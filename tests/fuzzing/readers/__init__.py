"""What reads inputs from elsewhere, by name: each opens with a folder for its valid inputs."""

from collections.abc import Mapping

from tests.fuzzing.readers import (
    architectures,
    checkpoints,
    databases,
    folders,
    models,
    options,
    studies,
    tables,
)
from tests.fuzzing.runner import OpenReader

READERS: Mapping[str, OpenReader] = {
    "architecture": architectures.open_reader,
    "study": studies.open_reader,
    "table": tables.open_reader,
    "model": models.open_reader,
    "checkpoint": checkpoints.open_reader,
    "database": databases.open_reader,
    "options": options.open_reader,
    "folder": folders.open_reader,
}
