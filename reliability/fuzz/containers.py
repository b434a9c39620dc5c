"""Changes inside files whose checksums would find a plain change: PNG, zip, HDF5, checkpoints."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from reliability.fuzz import mutations, trees
from reliability.fuzz.archives import undated

PNG_START = 8  # bytes of its signature


def in_png(rng: np.random.Generator, content: bytes) -> bytes:
    """A PNG file with one chunk changed, its checksum right."""
    chunks = list(_chunks(content))
    if not chunks:
        return content
    chosen = int(rng.integers(len(chunks)))
    kind, data = chunks[chosen]
    if kind == b"IDAT" and rng.random() < 0.5:  # its pixels, packed again
        data = zlib.compress(mutations.mutated(rng, [zlib.decompress(data)]))
    else:
        data = mutations.mutated(rng, [data])
    chunks[chosen : chosen + 1] = [(kind, data)] * int(rng.choice([1, 1, 1, 0, 2]))
    packed = [
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    ]
    return content[:PNG_START] + b"".join(packed)


def _chunks(content: bytes) -> Any:
    at = PNG_START
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        at += 12 + size


def in_zip(rng: np.random.Generator, content: bytes) -> bytes:
    """A zip with one member changed, its checksum right."""
    if not zipfile.is_zipfile(io.BytesIO(content)):  # a checkpoint as old versions of torch wrote it
        return mutations.mutated(rng, [content])
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        entries = old.infolist()
        chosen = int(rng.integers(len(entries)))
        for number, entry in enumerate(entries):
            data = old.read(entry)
            if number == chosen:
                data = mutations.mutated(rng, [data])
                if rng.random() < 0.1:
                    continue
            new.writestr(undated(entry.filename), data, int(rng.choice([zipfile.ZIP_STORED, entry.compress_type])))
    return packed.getvalue()


def in_checkpoint(rng: np.random.Generator, content: bytes) -> bytes:
    """A checkpoint with one value changed, as torch would have written it."""
    import torch

    tree = torch.load(io.BytesIO(content), weights_only=True)
    others = [
        torch.zeros(0), torch.zeros(()), torch.zeros(2, 3), torch.full((3,), torch.nan), torch.ones(1) > 0,
        torch.zeros(3, dtype=torch.complex64), torch.zeros(1).expand(2**34), torch.zeros(2, 2).to_sparse(),
        torch.zeros(4, dtype=torch.int64), torch.empty(2**40, device="meta"),
    ]  # fmt: skip
    packed = io.BytesIO()
    torch.save(trees.mutated(rng, tree, others), packed)
    return packed.getvalue()


def in_hdf5(rng: np.random.Generator, content: bytes) -> bytes:
    """An HDF5 file with one dataset, attribute or link changed."""
    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        names = sorted(file)
        name = names[rng.integers(len(names))]
        if rng.random() < 0.4:
            _change_attribute(rng, file)
        else:
            _change_dataset(rng, file, name)
    return memory.getvalue()


def _change_attribute(rng: np.random.Generator, file: h5py.File) -> None:
    keys = sorted(file.attrs)
    key = keys[rng.integers(len(keys))]
    values: Sequence[Any] = (
        "text", "", b"\xff\xfe", 1, -1, 2**40, np.nan, np.arange(3), np.zeros((0,)), h5py.Empty("f4"), "{", "[]", "1",
        '{"points": "x"}', '{"points": -1}', "[" * 2000, np.array([b"a", b"b"]), file.ref, np.bool_(True),
    )  # fmt: skip
    chosen = int(rng.integers(len(values) + 1))
    if chosen == len(values):
        del file.attrs[key]
    else:
        file.attrs[key] = values[chosen]


def _change_dataset(rng: np.random.Generator, file: h5py.File, name: str) -> None:
    old = file[name][()]
    kind = int(rng.integers(12))
    if kind == 0:
        file[name].attrs["more"] = 1
        return
    if kind == 1 and old.dtype.kind in "ui":  # counts and places that are too large
        changed = old.copy()
        changed.flat[rng.integers(max(changed.size, 1)) :] = np.iinfo(old.dtype).max
        file[name][...] = changed
        return
    if kind == 2 and old.ndim:
        file[name].resize(int(rng.choice([0, 1, 3, 2**31, 2**40])), axis=0)
        return
    del file[name]
    match kind:
        case 3:
            return
        case 4:
            file.create_group(name)
        case 5:
            file[name] = h5py.SoftLink(f"/{name}")
        case 6:
            file[name] = h5py.ExternalLink("/etc/hostname", "/points")
        case 7:
            file.create_dataset(name, data=old.astype("S8"))
        case 8:
            file.create_dataset(name, data=old[..., None])
        case 9:
            file.create_dataset(
                name, (2**33, *old.shape[1:]), old.dtype, chunks=(1, *(max(side, 1) for side in old.shape[1:]))
            )
        case 10:
            file.create_dataset(name, data=np.array(["a", "b"], object), dtype=h5py.string_dtype())
        case _:
            other = rng.choice(["f8", "i1", "c8", "?"])
            number = np.zeros(old.shape) if old.dtype.kind == "S" else old
            file.create_dataset(name, data=number.astype(other))
