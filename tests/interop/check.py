#!/usr/bin/env python3
"""Checks that files of `tokbench tokenizer train` mean the same to the Python packages tokenizers and transformers.

usage: check.py [--tokbench PROGRAM] [--letters N] [FASTA ...]

Without FASTA, DNA made from a fixed seed is used. With TOKBENCH_DATA set, the public tokenizers in its folder
`tokenizers` are compared as well, on the beginning of every file in its folder `genomes`.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy
import tokenizers
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SPECIALS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
UNK, CLS, SEP, PAD, MASK = range(5)
NAMES = {name.strip("[]").lower() + "_token": name for name in SPECIALS}
TO_N = {code: "N" for code in range(128) if chr(code) not in "ACGT"}

failures = 0


def report(good, what):
    global failures
    failures += not good
    print("ok    " if good else "FAILED", what, flush=True)


def first_difference(ours, theirs):
    """Where two sequences begin to differ."""
    return next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))


def equal(ours, theirs, what):
    """One line for two lists: what was compared, or where they differ first."""
    good = ours == theirs
    if not good:
        what += f": {len(ours)} against {len(theirs)}" if len(ours) != len(theirs) else ""
        what += f": {sum(a != b for a, b in zip(ours, theirs))} differ, first"
        while isinstance(ours, list) and ours and theirs:
            place = first_difference(ours, theirs)
            what += f" [{place}]"
            ours, theirs = (both[place] if place < len(both) else None for both in (ours, theirs))
        if isinstance(ours, str) and isinstance(theirs, str):
            start = max(0, first_difference(ours, theirs) - 10)
            ours, theirs = ours[start : start + 40], theirs[start : start + 40]
            what += f" from {start}"
        what += f": {str(ours)[:100]!r} against {str(theirs)[:100]!r}"
    report(good, what)


def run(*arguments, text=None):
    """What the program writes to standard output."""
    done = subprocess.run([program, "tokenizer", *map(str, arguments)], input=text, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error")] or done.stderr.splitlines()
        raise RuntimeError(f"tokbench tokenizer {' '.join(map(str, arguments))}: {' '.join(said)}")
    return done.stdout


def rows(text):
    return [[int(number) for number in line.split()] for line in text.splitlines()]


# Sequences


def read(path, most):
    """Names and letters of the records of a FASTA file, at most so many letters in all."""
    records = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        for line in lines:
            if most == 0:
                break
            if line.startswith(">"):
                records.append((line[1:].split()[0], []))
            else:
                letters = line.strip()[:most]
                most -= len(letters)
                records[-1][1].append(letters)
    return [(name, "".join(parts)) for name, parts in records if parts]


def as_read(sequence):
    """What tokbench takes a sequence for: upper case, U is T, everything but A, C, G, T is N."""
    return sequence.upper().replace("U", "T").translate(TO_N)


def write(path, records):
    path.write_text("".join(f">{name} about\n{sequence}\n" for name, sequence in records))
    return path


def numbered(sequences):
    return [(f"r{number}", sequence) for number, sequence in enumerate(sequences)]


def structured(length, rng):
    """Random bases, copies of earlier ones, runs and short repeats."""
    text = "".join(rng.choices("ACGT", k=200))
    while len(text) < length:
        size = rng.randrange(1, 60)
        start = rng.randrange(max(0, len(text) - 5_000), len(text) - 60)
        unit = "".join(rng.choices("ACGT", k=rng.randrange(1, 5)))
        text += rng.choice([text[start : start + size], (unit * size)[:size], "".join(rng.choices("AATTACGTTA", k=size))])
    return text[:length]


def made():
    rng = random.Random(1)
    sequences = [structured(rng.randrange(200, 5_000), rng) for _ in range(60)]
    sequences += ["".join(rng.choices("ACGT", k=20_000)), structured(60_000, rng), "A" * 5_000, "AC" * 3_000]
    # Unknown bases: single ones, stretches, at the ends.
    for step in [1, 2, 7, 100, 997]:
        letters = list(structured(3_000, rng))
        letters[::step] = "N" * len(letters[::step])
        sequences.append("".join(letters))
    sequences.append("NN" + structured(700, rng) + "N" * 50 + structured(700, rng) + "N")
    # Short ones, and letters that tokbench reads as others.
    sequences += [*"ACGTN", "AN", "NA", "ACGTACGT", "acgtRYKacgUUn" * 20]
    return numbered(sequences)


# Checks


def check_tokenizers(path, fasta, records, what):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    sequences = [as_read(sequence) for _, sequence in records]
    size = f"{len(sequences)} records, {sum(map(len, sequences))} bases"
    plain = tokenizer.encode_batch(sequences, add_special_tokens=False)
    around = tokenizer.encode_batch(sequences, add_special_tokens=True)
    text = run("encode", "-t", path, fasta)
    ids = rows(text)
    equal(ids, [encoding.ids for encoding in plain], f"{what}: tokenizers: {sum(map(len, ids))} ids of {size}")
    special = rows(run("encode", "-t", path, "--specials", fasta))
    equal(special, [encoding.ids for encoding in around], f"{what}: tokenizers: ids with [CLS] and [SEP]")
    masked = tokenizer.encode("ACGT[MASK]ACGT", add_special_tokens=False).ids
    four = tokenizer.encode("ACGT", add_special_tokens=False).ids
    equal([*four, MASK, *four], masked, f"{what}: tokenizers: [MASK] in text is one id")
    spans = [
        f"{name}\t{start}\t{end}\t{number}"
        for (name, _), encoding in zip(records, plain)
        for (start, end), number in zip(encoding.offsets, encoding.ids)
    ]
    bed = run("encode", "-t", path, "--format", "bed", fasta).splitlines()
    equal(bed, spans, f"{what}: tokenizers: {len(bed)} offsets and lines of BED")
    equal(run("decode", "-t", path, text=text).splitlines(), sequences, f"{what}: tokbench decode of {size}")
    return sequences, ids


def check_npy(path, fasta, ids, what):
    array = path.with_suffix(".npy")
    run("encode", "-t", path, "--format", "npy", "-o", array, fasta)
    offsets = numpy.load(f"{array}.offsets.npy").tolist()
    flat = numpy.load(array).tolist()
    parts = [flat[start:end] for start, end in zip(offsets, offsets[1:])]
    equal(parts, ids, f"{what}: numpy: {len(flat)} ids of {len(parts)} records")


def check_transformers(path, sequences, ids, what):
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path), **NAMES)
    folder = path.with_suffix("")
    fast.save_pretrained(folder)
    saved = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    around = [[CLS, *line, SEP] for line in ids]
    for name, tokenizer in [("PreTrainedTokenizerFast", fast), ("AutoTokenizer of the saved folder", saved)]:
        name = f"{what}: {name}"
        plain = [tokenizer(sequence, add_special_tokens=False)["input_ids"] for sequence in sequences]
        equal(ids, plain, f"{name}: {sum(map(len, plain))} ids of {len(plain)} records")
        batch = tokenizer(sequences)
        equal(around, batch["input_ids"], f"{name}: ids with [CLS] and [SEP]")
        found = [getattr(tokenizer, f"{key}_id") for key in NAMES]
        equal([UNK, CLS, SEP, PAD, MASK], found, f"{name}: ids of {' '.join(SPECIALS)}")
        equal([len(json.loads(path.read_text())["model"]["vocab"])], [len(tokenizer)], f"{name}: {len(tokenizer)} entries")
        # A padded batch of short records, and a cut one.
        few = sorted(range(len(ids)), key=lambda i: len(ids[i]))[:16]
        width = max(len(around[i]) for i in few)
        batch = tokenizer([sequences[i] for i in few], padding=True)
        padded = [around[i] + [PAD] * (width - len(around[i])) for i in few]
        equal(padded, batch["input_ids"], f"{name}: padding of {len(few)} records to {width}")
        mask = [[1] * len(around[i]) + [0] * (width - len(around[i])) for i in few]
        equal(mask, batch["attention_mask"], f"{name}: attention mask of the padded batch")
        batch = tokenizer(sequences, truncation=True, max_length=16)
        cut = [[CLS, *line[:14], SEP] for line in ids]
        equal(cut, batch["input_ids"], f"{name}: truncation to 16 ids")
        four = tokenizer("ACGT", add_special_tokens=False)["input_ids"]
        masked = tokenizer("ACGT[MASK]ACGT", add_special_tokens=False)["input_ids"]
        equal([*four, MASK, *four], masked, f"{name}: [MASK] in text is one id")
        # No decoder stands in the file: tokens come back with blanks between them.
        texts = [tokenizer.decode(line).replace(" ", "").replace("[UNK]", "N") for line in ids]
        equal(sequences, texts, f"{name}: decode of {len(texts)} records gives the bases")


def check_learned(folder, fasta, records, vocabulary, piece):
    what = f"{vocabulary} entries, pieces {piece}"
    path = folder / "learned.json"
    run("train", "--vocab-size", vocabulary, "--piece-length", piece, "-o", path, fasta)
    sequences, ids = check_tokenizers(path, fasta, records, what)
    check_npy(path, fasta, ids, what)
    check_transformers(path, sequences, ids, what)


def check_training(folder, records):
    """Merges and ids of the trainer of the package, on 200,000 bases in records of at most 5,000."""
    text, left = [], 200_000
    for _, sequence in records:
        sequence = as_read(sequence[:left])
        left -= len(sequence)
        text += [sequence[start : start + 5_000] for start in range(0, len(sequence), 5_000)]
    fasta, path = write(folder / "training.fa", numbered(text)), folder / "training.json"
    stretches = [stretch for sequence in text for stretch in re.findall("[ACGT]+", sequence)]
    for most, piece, frequency, longest in [
        (64, 512, 2, 0), (512, 512, 2, 0), (4096, 512, 2, 0), (512, 100, 2, 0), (512, 0, 2, 0), (512, 512, 2, 6),
        (30_000, 512, 20, 0),
    ]:
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        limit = {"max_token_length": longest} if longest else {}
        trainer = trainers.BpeTrainer(
            vocab_size=most, min_frequency=frequency, special_tokens=SPECIALS, show_progress=False, **limit
        )
        width = piece or 5_000
        pieces = [stretch[i : i + width] for stretch in stretches for i in range(0, len(stretch), width)]
        tokenizer.train_from_iterator(pieces, trainer)
        theirs = json.loads(tokenizer.to_str())["model"]
        # The package stops where no pair is frequent enough; tokbench then has to refuse one entry more.
        size = len(theirs["vocab"])
        what = f"training: {size} entries, pieces {piece}, frequency {frequency}, longest {longest}"
        options = ["--piece-length", piece, "--min-frequency", frequency, "--max-token-length", longest, "-o", path]
        run("train", "--vocab-size", size, *options, fasta)
        ours = json.loads(path.read_text())["model"]
        bases = sum(map(len, pieces))
        equal(ours["merges"], theirs["merges"], f"{what}: {len(ours['merges'])} merges from {bases} bases")
        equal(sorted(ours["vocab"].items()), sorted(theirs["vocab"].items()), f"{what}: {len(ours['vocab'])} ids")
        if size < most:
            try:
                run("train", "--vocab-size", size + 1, *options, fasta)
                report(False, f"{what}: {size + 1} entries are not refused")
            except RuntimeError as error:
                report(f"give only {size} entries" in str(error), f"{what}: {size + 1} entries are refused")


def check_public(folder, data):
    """Stretches of A, C, G, T in the first 100,000 letters of each genome."""
    stretches = [
        stretch
        for genome in sorted((data / "genomes").glob("*.fa.gz"))
        for _, sequence in read(genome, 100_000)
        for stretch in re.findall("[ACGT]+", as_read(sequence))
    ]
    records = numbered(stretches)
    fasta = write(folder / "public.fa", records)
    for path in sorted((data / "tokenizers").glob("*.json")):
        attempt(path.stem, lambda: check_tokenizers(path, fasta, records, path.stem))


def attempt(what, check):
    """A check that cannot be finished is one that failed."""
    try:
        check()
    except Exception as error:
        report(False, f"{what}: {type(error).__name__}: {error}")


def main():
    global program
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    own = pathlib.Path(__file__).resolve().parents[2] / "target/release/tokbench"
    parser.add_argument("--tokbench", default=own, type=pathlib.Path, help="the program (target/release/tokbench)")
    parser.add_argument("fasta", nargs="*", type=pathlib.Path, help="FASTA files, plain or gzip")
    parser.add_argument("--letters", default=1_000_000, type=int, help="most letters of each file (1,000,000)")
    arguments = parser.parse_args()
    program = arguments.tokbench.resolve()
    if not program.is_file():
        parser.error(f"{program}: no such program; cargo build --release, or give --tokbench")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    python = sys.version.split()[0]
    print(f"{version}, tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, Python {python}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = [(path.name, read(path, arguments.letters)) for path in arguments.fasta] or [("made", made())]
        for title, records in texts:
            print(f"{title}:")
            fasta = write(folder / "text.fa", records)
            for vocabulary in [64, 512, 4096]:
                for piece in [512, 0]:
                    attempt(
                        f"{vocabulary} entries, pieces {piece}",
                        lambda: check_learned(folder, fasta, records, vocabulary, piece),
                    )
            attempt("training", lambda: check_training(folder, records))
        data = os.environ.get("TOKBENCH_DATA")
        if data and any(pathlib.Path(data).glob("tokenizers/*.json")):
            print("public tokenizers:")
            attempt("public tokenizers", lambda: check_public(folder, pathlib.Path(data)))
        else:
            print("skipped: public tokenizers (TOKBENCH_DATA is not set, or has none)")
    print(f"{failures} failures" if failures else "everything is equal")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
