"""Data files whose length and SHA-256 are known once they are written: hashed on the way, not read again."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pyiceberg.io import FileIO, InputFile, OutputFile, OutputStream
from pyiceberg.manifest import DATA_FILE_TYPE, DataFile

from tollbook.archive._pyarrow import untyped

# Four numbers for each of some 40 columns: half of a list's bytes, and most of the time to read it. No reader leaves
# out a file by them: what they filter by, an account and times, has bounds.
_NAMES: Final = [field.name for field in DATA_FILE_TYPE[2].fields]
_COUNTS: Final = [
    _NAMES.index(name) for name in ("column_sizes", "value_counts", "null_value_counts", "nan_value_counts")
]


class FileDigest(msgspec.Struct, frozen=True, array_like=True):
    """A file's location, its length, and its SHA-256 in hexadecimal digits."""

    location: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """A data file that was written and is part of no table until it is committed together with its digest."""

    file: DataFile
    digest: FileDigest


class HashingFileIO(FileIO):
    """A table's FileIO that hashes what is written. `digests`: by location, of the files that were closed."""

    def __init__(self, io: FileIO) -> None:
        super().__init__(io.properties)
        self._io = io
        self.digests: dict[str, FileDigest] = {}

    def new_output(self, location: str) -> OutputFile:
        """Return a file to write at a location."""
        return _HashedFile(self._io.new_output(location), self.digests)

    def new_input(self, location: str) -> InputFile:
        """Return a file to read."""
        return self._io.new_input(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; raises what the storage raises."""
        self._io.delete(location)

    def written(self, file: DataFile) -> WrittenFile:
        """Return a file that was written, with its digest, and without what a list of files need not say of it."""
        for place in _COUNTS:
            file[place] = None
        return WrittenFile(file=file, digest=self.digests[file.file_path])


class _HashedFile(OutputFile):
    def __init__(self, file: OutputFile, digests: dict[str, FileDigest]) -> None:
        super().__init__(file.location)
        self._file, self._digests = file, digests

    def __len__(self) -> int:
        return len(self._file)

    def exists(self) -> bool:
        return self._file.exists()

    def to_input_file(self) -> InputFile:
        return self._file.to_input_file()

    def create(self, overwrite: bool = False) -> OutputStream:
        return untyped(_HashedStream(self._file.create(overwrite), self.location, self._digests))


class _HashedStream(io.RawIOBase):
    """pyarrow closes it twice, and asks for its position before each write."""

    def __init__(self, stream: Any, location: str, digests: dict[str, FileDigest]) -> None:
        self._stream, self._location, self._digests = stream, location, digests
        self._hash, self._length = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, data: Any, /) -> int:
        self._stream.write(data)
        self._hash.update(data)
        self._length += len(data)
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        if self.closed:
            return
        super().close()  # flushes
        self._stream.close()
        self._digests[self._location] = FileDigest(self._location, self._length, self._hash.hexdigest())
