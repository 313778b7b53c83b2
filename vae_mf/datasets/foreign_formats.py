"""Formats of other programs, which are not read: by the names of their files, with what to do about each."""

from types import MappingProxyType
from typing import NamedTuple

SPIKES = "export its spike times as a table (csv) with columns neuron and time"
SIGNALS = "sort its spikes, or threshold its signals, and save rows of 0 and 1 as npy"
FRAMES = "save its frames as npy (frames, pixels), each pixel 0 or 1"
TABLE = "export its table as csv"
ALIGNMENT = "export the alignment as FASTA"
NUMPY = "save its array with numpy.save"


class ForeignFormat(NamedTuple):
    """A format that is not read, and what its user may do instead."""

    kind: str
    advice: str


def named(suffixes: str, kind: str, advice: str) -> dict[str, ForeignFormat]:
    """Return a format under each of its suffixes."""
    return dict.fromkeys(suffixes.split(), ForeignFormat(kind, advice))


FOREIGN = MappingProxyType(
    named(".nev", "events of Blackrock", SPIKES)
    | named(".ns1 .ns2 .ns3 .ns4 .ns5 .ns6 .ccf", "signals of Blackrock", SIGNALS)
    | named(".plx .pl2", "a recording of Plexon", SPIKES)
    | named(".nex", "data of NeuroExplorer, or a NEXUS alignment", f"{SPIKES}, or {ALIGNMENT}")
    | named(".nex5", "data of NeuroExplorer", SPIKES)
    | named(".nse .ntt .nst", "spikes of Neuralynx", SPIKES)
    | named(".ncs .nrd", "signals of Neuralynx", SIGNALS)
    | named(".rhd .rhs", "signals of Intan", SIGNALS)
    | named(".abf .atf", "signals of Axon", SIGNALS)
    | named(".edf .bdf", "signals in EDF", SIGNALS)
    | named(".smr .smrx .son", "a recording of Spike2", SPIKES)
    | named(".tev .tsq .tbk .tdx", "a tank of Tucker-Davis", SPIKES)
    | named(".mcd .msrd", "a recording of Multi Channel Systems", SPIKES)
    | named(".oebin .openephys .continuous .spikes", "a recording of Open Ephys", SIGNALS)
    | named(".vhdr .vmrk .eeg .cnt .fif .set .fdt .xdf", "signals of EEG or MEG", SIGNALS)
    | named(".bin .raw .meta", "raw signals", SIGNALS)
    | named(".brw .bxr", "a recording of 3Brain", SPIKES)
    | named(".clu .res .fet .spk", "clusters of Klusters", SPIKES)
    | named(".tif .tiff .gif .bmp", "pictures or a movie", FRAMES)
    | named(".avi .mp4 .mov .mkv .webm .mpg .wmv .sbx .isxd", "a movie", FRAMES)
    | named(".nii .mgz .dcm .mnc", "a scan", SIGNALS)
    | named(".rds .rdata .rda", "objects of R", "save the table in R with write.csv")
    | named(".feather .arrow .ipc", "a table of Arrow", "save it as parquet, with to_parquet of pandas")
    | named(".sav .zsav .por", "a table of SPSS", TABLE)
    | named(".dta", "a table of Stata", TABLE)
    | named(".sas7bdat .xpt", "a table of SAS", TABLE)
    | named(".ods .numbers .gsheet", "a spreadsheet", TABLE)
    | named(".xls .xlsb", "an old Excel workbook", 'save the sheet as "CSV UTF-8"')
    | named(".db .sqlite .sqlite3 .mdb .accdb", "a database", TABLE)
    | named(".avro .orc .arff .root", "a table of another program", TABLE)
    | named(".pkl .pickle .joblib", "a Python pickle", NUMPY)
    | named(".jld .jld2", "data of Julia", NUMPY)
    | named(".pt .pth .ckpt .safetensors", "tensors of PyTorch", NUMPY)
    | named(".json .jsonl .yaml .yml .xml .toml", "a text of nested values", TABLE)
    | named(".vcf .bcf .bed .bim .fam .ped .map .gvcf", "genotypes", TABLE)
    | named(".phy .phylip .nexus .msf .pir", "an alignment of another format", ALIGNMENT)
    | named(".bam .sam .cram .fastq .fq", "reads that are not aligned with each other", ALIGNMENT)
    | named(".pdb .cif .dcd .xtc .trr .lammpstrj .xyz", "positions of atoms", SIGNALS)
    | named(".doc .docx .odt .ppt .pptx .pages .rtf .html .htm .md", "a document", TABLE)
    | named(".zip .tar .tgz .7z .rar", "an archive", "unpack it first")
    | named(".m .r .py .ipynb .jl", "a program", "run it, and give the data that it saves")
)
"""Formats that are not read, by suffix."""
