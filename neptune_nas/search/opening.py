"""Where a study lies and what is asked of it, to be opened for a search."""

from collections.abc import Iterable
from dataclasses import dataclass

from neptune_nas.devices.numerics import Numerics
from neptune_nas.files.locks import check_writable
from neptune_nas.search.provenance import Asked, settle_settings
from neptune_nas.study.database import SQLITE, require_database, sqlite_url
from neptune_nas.study.folder import Folder, read_settings
from neptune_nas.study.objectives import directions
from neptune_nas.study.settings import Facts, Settings
from neptune_nas.study.store import Store, check_store, create_store, numerics_at


@dataclass(frozen=True, slots=True)
class Opening:
    """A study's folder, what is asked of it, and the URL of its database.

    `storage`: that URL with its password; None for the one that the study has.
    """

    folder: Folder
    asked: Asked
    storage: str | None = None

    @property
    def numerics(self) -> Numerics | None:
        """Return what the study was begun to train in; None where it is new, or trains nothing."""
        if self.folder.exists:
            return read_settings(self.folder.settings).facts.numerics
        if self.storage is None:
            return None
        return numerics_at(self.storage, self.asked.name, self.folder.path)

    def settle(self, facts: Facts) -> Settings:
        """The settings to search by; raises `StudyError` if the study began with others."""
        return settle_settings(self.folder, self.asked, facts)

    def check_places(self, settings: Settings) -> None:
        """Refuse a folder or a database that a search could not use, and leave both as they are."""
        check_writable(self.folder.path)
        check_store(self._url(settings), settings.name, settings.identity, self.folder.path)

    def open_store(self, settings: Settings, allow: Iterable[type]) -> Store:
        """The study in its database, begun if it is new; `allow`: the user's records in it."""
        turned = directions(settings.question.objectives)
        url = self._url(settings)
        store = create_store(url, settings.name, turned, settings.identity, tuple(allow))
        store.keep_numerics(settings.facts.numerics)
        return store

    def _url(self, settings: Settings) -> str:
        url = self.storage or settings.storage or sqlite_url(self.folder.database)
        if self.folder.exists and url.startswith(SQLITE):
            require_database(url, settings.name)
        return url
