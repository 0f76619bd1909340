#!/usr/bin/env python3
"""Checks that checkpoints of `tokbench model convert` are the same model in Python.

usage: checkpoints.py [--tokbench PROGRAM] [VECTORS]

VECTORS is a folder with config.json, weights under any names, and masked_lm.safetensors with inputs and logits; without it, the one of the
tests is used. The multimolecule layout is loaded by the package multimolecule if that is installed. The original layout is loaded strictly
(no missing and no extra tensor) by the plain PyTorch model in twin.py, written from the description of DNABERT-2.
"""
import argparse
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

from twin import Twin

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 2e-5


failures = 0


def report(good, what):
    global failures
    failures += not good
    print("ok    " if good else "FAILED", what, flush=True)


def load(kind, folder, what):
    """A model of a package, for inference; what is missing or unexpected in its file is reported."""
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    keys = {kind: sorted(info[kind]) for kind in ["missing_keys", "unexpected_keys"] if info[kind]}
    report(not keys, f"{what}, no missing and no unexpected key {keys or ''}")
    return model.eval()


def runner(program, folder):
    """Runs commands of the program in a folder, and returns what they print."""
    def run(*command):
        command = [str(program), *map(str, command)]
        return subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True).stdout
    return run


def check(program, vectors):
    expected = load_file(vectors / "masked_lm.safetensors")
    ids, mask = expected["input_ids"], expected["attention_mask"]
    real = mask.bool()

    def distance(logits):
        return (logits - expected["logits"])[real].abs().max().item()

    sources = sorted(vectors.glob("model*.safetensors")) + sorted(vectors.glob("pytorch_model*.bin"))
    for source in sources:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "in").mkdir()
            shutil.copy(vectors / "config.json", folder / "in")
            name = "pytorch_model.bin" if source.suffix == ".bin" else "model.safetensors"
            shutil.copy(source, folder / "in" / name)
            for names in ["original", "multimolecule"]:
                command = [program, "model", "convert", folder / "in", folder / names, "--names", names]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            config = json.loads((folder / "original" / "config.json").read_text())
            state = load_file(folder / "original" / "model.safetensors")
            twin = Twin(config, any(key.startswith("bert.pooler.") for key in state)).eval()
            twin.load_state_dict(state, strict=True)
            with torch.no_grad():
                off = distance(twin(ids, mask))
            report(off < TOLERANCE, f"{source.name}: original layout, strict, plain PyTorch: logits differ by at most {off:.1e}")
            try:
                import multimolecule
            except ImportError:
                print("skipped", f"{source.name}: multimolecule layout (the package is not installed)")
                continue
            model = load(multimolecule.DnaBert2ForMaskedLM, folder / "multimolecule", f"{source.name}: multimolecule layout")
            with torch.no_grad():
                off = distance(model(input_ids=ids, attention_mask=mask)["logits"])
            report(off < TOLERANCE, f"{source.name}: multimolecule layout, its package: logits differ by at most {off:.1e}")


SPEC = """
name = "interop"
tokenizers = ["base", "bpe64", "kmer3-nonoverlap"]
seeds = [1]
exploratory = true
corpus = "order1"
positions = ["alibi"]
# A base then has the weight 1/4 in the prior, and a token 4^-length.
prior = "uniform"

[training]
bases = 20_000
"""
SEQUENCE = "ACGATTAGCCATTAGCAGGATTACAGATTACCAGT"
# Probabilities are printed with six digits.
PRINTED = 1e-6


def check_trained(program):
    """A model that was trained and exported: logits of a mask and hidden states, as the program gives them for its run, and as Python does."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "spec.toml").write_text(SPEC)

        run = runner(program, folder)
        run("compare", "spec.toml", "--output", "out", "--store", "store")
        records = [json.loads(line) for line in (folder / "out" / "records.jsonl").read_text().splitlines()]
        for record in records:
            work = record["run"]["work"] if "run" in record else record["work"]
            if work["kind"] != "pretrain":
                continue
            name, key = work["tokenizer"], record["key"]
            for names in ["original", "multimolecule"]:
                run("model", "export", key, f"{name}-{names}", "--names", names, "--store", "store")
            text = SEQUENCE[:18] + "[MASK]" + SEQUENCE[18:]
            printed = run("fill-mask", "--model", key, "--store", "store", "--top-k", 100_000, "--sequence", text)
            rows = [line.split(",") for line in printed.splitlines()[1:]]
            ours = {int(row[5]): float(row[6]) for row in rows}
            run("embed", "--model", key, "--store", "store", "--pooling", "tokens", "-o", "states.npy", write_fasta(folder))
            import numpy
            states = torch.from_numpy(numpy.load(folder / "states.npy"))
            original = folder / f"{name}-original"
            config = json.loads((original / "config.json").read_text())
            twin = Twin(config, False).eval()
            twin.load_state_dict(load_file(original / "model.safetensors"), strict=True)
            from tokenizers import Tokenizer
            tokenizer = Tokenizer.from_file(str(original / "tokenizer.json"))
            encode = lambda part: tokenizer.encode(part, add_special_tokens=False).ids
            ids = torch.tensor([[1, *encode(SEQUENCE[:18]), 4, *encode(SEQUENCE[18:]), 2]])
            at = ids[0].tolist().index(4)
            ones = torch.ones_like(ids)
            with torch.no_grad():
                logits = twin(ids, ones)
                lengths = torch.tensor([len(tokenizer.id_to_token(token)) for token in range(5, config["vocab_size"])])
                probabilities = (logits[0, at, 5:] - lengths * math.log(4)).softmax(-1)
                off = max(abs(probabilities[token - 5].item() - value) for token, value in ours.items())
            report(off < PRINTED and len(ours) == config["vocab_size"] - 5,
                   f"{name}: a trained model, exported, plain PyTorch: probabilities of {len(ours)} tokens differ by at most {off:.1e}")
            whole = torch.tensor([[1, *encode(SEQUENCE), 2]])
            try:
                import multimolecule
            except ImportError:
                print("skipped", f"{name}: multimolecule layout (the package is not installed)")
                continue
            model = multimolecule.DnaBert2ForMaskedLM.from_pretrained(folder / f"{name}-multimolecule").eval()
            with torch.no_grad():
                found = model(input_ids=ids, attention_mask=ones)["logits"]
                off = (found - logits).abs().max().item()
                hidden = model(input_ids=whole, attention_mask=torch.ones_like(whole), output_hidden_states=True)["hidden_states"][-1]
            report(off < TOLERANCE, f"{name}: the same in multimolecule: logits differ by at most {off:.1e}")
            off = (hidden[0, 1:-1] - states).abs().max().item()
            report(off < TOLERANCE, f"{name}: hidden states of {len(states)} tokens in multimolecule and from embed differ by at most {off:.1e}")


def check_classifier(program):
    """A fine-tuned model, exported with its classifier: probabilities as the program prints them, and in Python."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "spec.toml").write_text(SPEC.replace('"base", "bpe64", "kmer3-nonoverlap"', '"bpe64"'))

        run = runner(program, folder)
        run("compare", "spec.toml", "--output", "out", "--store", "store")
        key = json.loads((folder / "out" / "records.jsonl").read_text().splitlines()[0])["key"]
        rows = ["sequence,label"]
        draw = random.Random(1)
        for number in range(120):
            bases = "".join(draw.choice("ACGT") for _ in range(30))
            rows.append(f"{bases},{['none', 'many', 'some'][bases.count('G') % 3]}")
        (folder / "train.csv").write_text("\n".join(rows) + "\n")
        run("finetune", "-m", key, "--store", "store", "--train", "train.csv", "--pooling", "cls", "--epochs", 1, "-o", "tuned")
        printed = run("predict", "-m", "tuned", write_fasta(folder)).splitlines()
        expected = torch.tensor([float(value) for value in printed[1].split(",")[4:]])
        for names in ["original", "multimolecule"]:
            run("model", "export", "tuned", names, "--names", names)
        from tokenizers import Tokenizer
        original = folder / "original"
        tokens = Tokenizer.from_file(str(original / "tokenizer.json")).encode(SEQUENCE, add_special_tokens=False).ids
        ids = torch.tensor([[1, *tokens, 2]])
        twin = Twin(json.loads((original / "config.json").read_text()), True, classes=3).eval()
        twin.load_state_dict(load_file(original / "model.safetensors"), strict=True)
        with torch.no_grad():
            off = (twin(ids, torch.ones_like(ids)).softmax(-1)[0] - expected).abs().max().item()
        report(off < PRINTED, f"a classifier, exported, plain PyTorch: probabilities differ by at most {off:.1e}")
        try:
            import multimolecule
        except ImportError:
            print("skipped", "a classifier in the multimolecule layout (the package is not installed)")
            return
        model = load(multimolecule.DnaBert2ForSequencePrediction, folder / "multimolecule", "a classifier in the multimolecule layout")
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids))["logits"]
        off = (logits.softmax(-1)[0] - expected).abs().max().item()
        report(off < PRINTED, f"a classifier in multimolecule: probabilities differ by at most {off:.1e}")
        names = [model.config.id2label[number] for number in range(3)]
        report(names == printed[0].split(",")[4:], f"a classifier in multimolecule: its classes are {names}")


def write_fasta(folder):
    (folder / "sequence.fa").write_text(f">s\n{SEQUENCE}\n")
    return "sequence.fa"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokbench", default=ROOT / "target/release/tokbench")
    parser.add_argument("vectors", nargs="?", type=pathlib.Path, default=ROOT / "tests/fixtures/vectors/dnabert2")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.tokbench).absolute()
    check(program, arguments.vectors)
    check_trained(program)
    check_classifier(program)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
