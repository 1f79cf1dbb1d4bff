"""The teacher's part in a training: its terms, how good it is, and its outputs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neptune_nas.data.images import ImageData
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.teacher_outputs import (
    TeacherSource,
    keep_outputs,
    open_teaching,
    seconds_to_keep,
    teacher_notes,
)
from neptune_nas.retrain.seed import SeedJob
from neptune_nas.search.config import Say
from neptune_nas.tasks.registry import task_of
from neptune_nas.training.state import augment_for


@dataclass(frozen=True, slots=True)
class TeacherPart:
    """A teacher, or None, and the folder that keeps its outputs of the training images."""

    source: TeacherSource | None
    data: ImageData
    folder: Path
    device: str

    def terms(self) -> dict[str, Any]:
        """Return the teacher's fields of the terms."""
        if self.source is None:
            return {}
        digest, views = self.source.digest(self.folder), self.source.views
        return {"teacher_digest": digest, "teacher_views": views, "teacher": self.source.place}

    def notes(self, network: ExportedArchitecture | str) -> tuple[str, ...]:
        """Return sentences on how good the teacher is, compared with the network in its search.

        Raises `NeptuneError` for a teacher that cannot teach the data.
        """
        if self.source is None:
            return ()
        score = None if isinstance(network, str) else network.score
        usual = score.values.get(task_of(self.data).metrics[0]) if score else None
        return teacher_notes(self.source, self.data, self.folder, self.device, usual)

    def join(self, job: SeedJob, say: Say) -> SeedJob:
        """Return the job with the teacher's outputs, computed unless the folder has them."""
        if self.source is None:
            return job
        augment = augment_for(job.recipe, job.data)
        kept = keep_outputs(self.source, job.data, augment, self.folder, self.device, say)
        teaching = open_teaching(kept.kept_in(self.folder))
        return replace(job, teaching=teaching, teacher_seconds=kept.seconds)

    def seconds_left(self) -> float:
        """Return about how many seconds the teacher's outputs will take; 0 if they are kept."""
        return 0.0 if self.source is None else seconds_to_keep(self.source, self.data, self.folder)
