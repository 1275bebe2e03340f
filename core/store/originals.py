"""Files as they came, identity included, where the installation keeps them: nobody reads them here.

Each lies under the key of the file that was made of it, so that it can be found again by hand.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import StoreError
from core.store.files import write_file

_SUFFIX = ".original"


def keep_original(folder: Path, content_key: str, data: bytes) -> None:
    """Keep a file as it came, readable by the program's account alone.

    Of several that become the same stored file, the first is kept.

    Args:
        folder: of all originals; made where it does not exist.
        content_key: of the file that was made of it.
        data: its bytes.

    Raises:
        StoreError: the disk is full or may not be written to.
    """
    path = folder / content_key[:2] / content_key[2:4] / f"{content_key}{_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not path.exists():
            write_file(path, data)
    except OSError as error:
        raise StoreError(
            f"An original of {len(data)} bytes could not be kept in {folder} "
            f"({os.strerror(error.errno or 0)}). Make room on the disk or check who may write "
            "there, then try again."
        ) from error
