"""Public names of the room, read by `__init__.py` and by editors."""

from .fetching import fetch, read_mnist
from .file_formats import Reader, read_array, register_reader
from .files import DataError, Options, Raster
from .recording import Recording, make_recording, read_recording
from .splits import Split, split_rows

__all__ = [
    "DataError",
    "Options",
    "Raster",
    "Reader",
    "Recording",
    "Split",
    "fetch",
    "make_recording",
    "read_array",
    "read_mnist",
    "read_recording",
    "register_reader",
    "split_rows",
]
