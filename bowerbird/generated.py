"""Generated documents in a folder of the repository: writes those that differ, and names those that are not current."""

from collections.abc import Mapping
from pathlib import Path


def write(folder: Path, current: Mapping[str, str]) -> list[str]:
    """Write what differs and remove what is no longer generated; return the names changed.

    Args:
        folder: made if it does not exist.
        current: file name to text, for every file of the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    changed = stale(folder, current)
    for name in changed:
        if name in current:
            (folder / name).write_text(current[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def stale(folder: Path, current: Mapping[str, str]) -> list[str]:
    """Return the names of the files that are not as they would be written now."""
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.*")}
    return sorted(name for name in current.keys() | present.keys() if current.get(name) != present.get(name))
