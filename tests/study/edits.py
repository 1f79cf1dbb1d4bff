"""Studies that were changed by hand, or made to look like those of somebody else."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from neptune_nas.study.folder import Folder, read_settings


def edit_study(folder: Path, *changes: tuple[str, str]) -> None:
    """Change texts of `study.toml`, and make the database say that it was begun with these."""
    study = Folder(folder)
    text = study.settings.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    study.settings.write_text(text)
    question = json.dumps(read_settings(study.settings).identity)
    with closing(sqlite3.connect(study.database)) as database, database:
        rows = database.execute(
            "UPDATE study_user_attributes SET value_json = ? WHERE key = 'neptune:question'",
            (question,),
        )
        assert rows.rowcount == 1
