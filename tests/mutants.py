"""Small checkpoints of every kind, and seeded ways to damage them."""

import io
import json
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from ridgeline import nets, symmetries
from ridgeline.io import save, save_symmetry

Generator = np.random.Generator


def states() -> dict[str, torch.Tensor]:
    shared = torch.arange(12.0).reshape(3, 4)
    return {
        "embed.weight": shared,
        "head.weight": shared,
        "norm.weight": torch.ones(4, dtype=torch.bfloat16),
        "norm.num_batches_tracked": torch.tensor(7),
        "view": torch.arange(20.0)[3:15:2],
        "empty": torch.empty(0, 3),
        "mask": torch.tensor([True, False]),
        "phase": torch.ones(2, dtype=torch.complex64),
    }


def written(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Files of every format: one that is to be damaged, and the one that is read then."""
    flat, module = states(), nn.Linear(3, 2)
    optimiser = torch.optim.Adam(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    nested = {
        "state_dict": OrderedDict(module.state_dict()),
        "optimizer": optimiser.state_dict(),
        "epoch": 3,
        "note": "ü",
    }
    plain = {k: v.clone() for k, v in flat.items() if k != "head.weight"}
    names = ("flat.pt", "nested.ckpt", "older.pth", "a.safetensors", "symmetry.json")
    made = [folder / name for name in names]
    torch.save(flat, made[0])
    torch.save(nested, made[1])
    torch.save(nested | {"model": flat}, made[2], _use_new_zipfile_serialization=False)
    save(flat, made[3], metadata={"epoch": "3"})
    save_symmetry(symmetries(nets.fcn(4, 6, 3), torch.zeros(2, 4)), made[4])
    first, second = folder / "0.safetensors", folder / "1.safetensors"
    save_file(dict(list(plain.items())[:3]), first)
    save_file(dict(list(plain.items())[3:]), second)
    places = {k: (first if i < 3 else second).name for i, k in enumerate(plain)}
    index = folder / "index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return {path.name: (path, path) for path in [*made, index]} | {"shard": (second, index)}


def damaged(data: bytes, rng: Generator) -> bytes:
    """The bytes with one kind of damage, or a few."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if not found:
            break
        at, length = int(rng.integers(len(found))), int(rng.integers(1, 64))
        kind = rng.integers(7)
        if kind == 0:
            found[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            found[at] = int(rng.integers(256))
        elif kind == 2:
            del found[at:]
        elif kind == 3:
            found[at:at] = rng.bytes(length)
        elif kind == 4:
            del found[at : at + length]
        elif kind == 5:
            other = int(rng.integers(len(found)))
            found[at : at + length] = found[other : other + length]
        else:
            found[at : at + 8] = rng.choice(NUMBERS)
    return bytes(found)


NUMBERS = [int(n).to_bytes(8, "little") for n in (0, 1, 10**15, 2**31 - 1, 2**32 - 1, 2**63)]
OPERATIONS = [bytes([code]) for code in b"0.(}]tQqrhjKMJRbu\x81\x85\x86\x87\x88\x8a\x8eXcNse"]


def edited_pickle(data: bytes, rng: Generator) -> bytes:
    """The bytes with operations or numbers of a pickle put in others' places."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(found) + 1))
        where = [i for i in range(at, len(found)) if bytes([found[i]]) in OPERATIONS] or [at]
        kind = rng.integers(4)
        if kind == 0:
            found[where[0] : where[0] + 1] = rng.choice(OPERATIONS)
        elif kind == 1:
            found[where[0] + 1 : where[0] + 2] = bytes([int(rng.integers(256))])
        elif kind == 2:
            found[where[0] : where[0]] = rng.choice(OPERATIONS)
        else:
            found[where[0] : where[0] + 5] = b"J" + rng.choice(NUMBERS)[:4]
    return bytes(found)


def edited_zip(data: bytes, rng: Generator) -> bytes:
    """The archive anew, with right checksums, one member of it damaged, gone, doubled or packed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        names = old.namelist()
        chosen = str(rng.choice([*names, *[n for n in names if n.endswith("data.pkl")] * 20]))
        kind = int(rng.integers(6))
        for name in names:
            content, packing = old.read(name), zipfile.ZIP_STORED
            if name == chosen and kind <= 2:
                content = (edited_pickle if kind else damaged)(content, rng)
            elif name == chosen and kind == 3:
                continue
            elif name == chosen and kind == 4:
                name = str(rng.choice(names)) if rng.integers(2) else name + "x"  # noqa: PLW2901
            elif name == chosen:
                packing = zipfile.ZIP_DEFLATED
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about two members of one name, which is meant
                new.writestr(zipfile.ZipInfo(name), content, packing)
    return made.getvalue()


def edited_header(data: bytes, rng: Generator) -> bytes:
    """A safetensors file whose header says something else, at the length that it says."""
    length = int.from_bytes(data[:8], "little")
    text, rest = data[8 : 8 + length], data[8 + length :]
    text = edited_json(text, rng)
    said = len(text) if rng.integers(4) else int.from_bytes(rng.choice(NUMBERS), "little")
    return said.to_bytes(8, "little") + text + rest


WORDS = [
    *[bytes([code]) for code in b'"{}[]-0,:\xff'],
    *[b"1e400", b"10000000000000000", b'"F32"', b'"F8_E4M3"', b"null", b"\\u0000", b"\\ud800"],
    b"[" * 5000,
]


def edited_json(data: bytes, rng: Generator) -> bytes:
    """The text with words in the places of others, or beside them."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(found) + 1))
        word = WORDS[int(rng.integers(len(WORDS)))]
        found[at : at + len(word) * int(rng.integers(2))] = word
    return bytes(found)


def mutant(path: Path, data: bytes, rng: Generator) -> bytes:
    """One damaged version of the bytes of a file."""
    if rng.integers(3) == 0:
        return damaged(data, rng)
    if data[:2] == b"PK":
        return edited_zip(data, rng)
    if path.suffix == ".safetensors":
        return edited_header(data, rng)
    if path.suffix == ".json":
        return edited_json(data, rng)
    return edited_pickle(data, rng)
