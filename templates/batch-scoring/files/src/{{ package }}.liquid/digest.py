"""The digest of a model: what `sha256sum` says of its files, hashed once more."""

import hashlib
from pathlib import Path


def manifest(folder: Path) -> str:
    """One line per file, `<sha256>  <path>`, sorted by the bytes of the path; all files."""
    lines = {}
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                path = file.relative_to(folder).as_posix()
                lines[path] = f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {path}\n"
    return "".join(lines[path] for path in sorted(lines, key=str.encode))


def model_digest(folder: Path) -> str:
    """Sha256 of the manifest, as hex digits."""
    return hashlib.sha256(manifest(folder).encode()).hexdigest()
