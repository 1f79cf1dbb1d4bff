"""The evaluator with which a search trains its networks, and their teacher."""

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.deploy.int8_accuracy import CALIBRATION
from neptune_nas.devices.numerics import Numerics
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.models.start import Start
from neptune_nas.models.teacher_outputs import TeacherSource, keep_outputs, teacher_notes
from neptune_nas.search.config import Say, Search
from neptune_nas.training.state import augment_for


def training_evaluator(
    search: Search,
    device: str,
    numerics: Numerics | None,
    *,
    teacher: TeacherSource | None = None,
    start: Start | None = None,
) -> Evaluator:
    """Return the short training that a search asks for, below it a proxy if there is one."""
    data, data_dir = search.question.data, search.data_dir
    training = ShortTraining(
        data,
        data_dir,
        search.used_recipe,
        device,
        numerics=numerics,
        metrics=search.traits.metrics,
        calibration=search.question.calibration or CALIBRATION,
        teacher=teacher,
        start=start,
    )
    if not search.question.proxy:
        return training
    return ProxyFirst(ZeroCost(search.question.proxy, data, data_dir), training, device)


def notes_on_teacher(search: Search, device: str) -> tuple[str, ...]:
    """Return sentences on how good the teacher is; none without one.

    Raises `NeptuneError` for a teacher that cannot teach the search's data.
    """
    if search.teacher_source is None:
        return ()
    return teacher_notes(search.teacher_source, _images(search), search.folder.shared, device)


def compute_outputs(search: Search, device: str, say: Say) -> None:
    """Compute the teacher's outputs into the study's folder, unless they are there."""
    if search.teacher_source is None:
        return
    data, folder = _images(search), search.folder.shared
    augment = augment_for(search.used_recipe, data)
    keep_outputs(search.teacher_source, data, augment, folder, device, say)


def _images(search: Search) -> ImageData:
    return load_once(search.question.data, search.data_dir, 0)
