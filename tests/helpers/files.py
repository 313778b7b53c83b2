"""Contents of folders."""

from pathlib import Path


def tree(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, by its path seen from there."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
