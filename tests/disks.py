"""Small disks: file systems in memory, mounted where we may mount one."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(options: str) -> Generator[Path | None]:
    """Mount a file system with these options, such as `size=400k`; yield None where we may not mount one."""
    # Not below pytest's folder, which PostgreSQL may not enter when it runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="tollbook-tests-"))
    folder.chmod(0o711)
    command = ["mount", "-t", "tmpfs", "-o", options, "tollbook-test", str(folder)]
    refused = os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0
    try:
        yield None if refused else folder
    finally:
        if folder.is_mount():
            subprocess.run(["umount", folder], check=True)
        folder.rmdir()
