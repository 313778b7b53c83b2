"""Public names of the room, read by `__init__.py` and by editors."""

from .fetching import fetch, read_mnist
from .file_formats import Reader, read_array, register_reader
from .files import DataError, Options, Raster
from .readers.alignments import AlignedStates, read_sequences
from .recording import Recording, make_recording, read_recording
from .samples import read_samples
from .splits import Split, split_rows

__all__ = [
    "AlignedStates",
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
    "read_samples",
    "read_sequences",
    "register_reader",
    "split_rows",
]
