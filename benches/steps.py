#!/usr/bin/env python3
"""Times steps of the shared encoder beside PyTorch, in one run on one machine, and prints a table of ratios.

usage: steps.py [--example PROGRAM] [--threads N] [--rounds N] [--compile] [SIZE ...]

Sizes: small (4 layers of 256, batches of 16 x 128 tokens), base (DNABERT-2: 12 layers of 768, batches of 4 x 128), comparison (2 layers of
64, batches of 4 x 250: what `tokbench compare` runs by default). Steps: a forward pass of the encoder; a training step on the
masked-language-model loss of 15 % of the positions; a training step of the sequence head. Each training step ends with AdamW. Dropout is 0.1 in
training. Competitors: PyTorch with composed attention (eager), with scaled_dot_product_attention (sdpa), and with torch.compile if asked for; float32,
equally many threads.

The column "products" is the time of nothing but the matrix products of the linear layers of such a step, by the same library in the same run: the
share of it in the whole step is printed beside.

Each measurement is a process of its own, in turn, for some rounds; times are the least of all steps of all rounds, memory the largest resident size
of the process. The PyTorch model is checked against the test vectors first. PROGRAM is the example step_time, built with
`cargo build --release --workspace --examples`.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIZES = {
    "small": (4, 256, 4, 1024, 16, 128),
    "base": (12, 768, 12, 3072, 4, 128),
    "comparison": (2, 64, 4, 256, 4, 250),
}
STEPS = {"forward": "forward", "mlm": "masked-LM training", "classify": "fine-tuning"}
VOCABULARY = 4096
WARMUP, STEPS_TIMED = 2, 6


def child(kind, size, what, threads):
    """One measurement of PyTorch: prints the least time of a step in milliseconds."""
    sys.path.insert(0, str(ROOT / "tests" / "interop"))
    import torch
    from torch import nn
    from torch.nn import functional
    from twin import Twin

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    layers, hidden, heads, inner, batch, tokens = SIZES[size]
    config = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
              "vocab_size": VOCABULARY, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "fused": kind != "eager",
              "hidden_dropout_prob": 0.1}
    model = Twin(config, False)
    model.cls["predictions"].decoder.weight = model.bert.embeddings.word_embeddings.weight
    head = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Dropout(0.1), nn.Linear(hidden, 2))
    ids = torch.randint(5, VOCABULARY, (batch, tokens))
    mask = torch.ones_like(ids)
    targets = max(1, batch * tokens * 15 // 100)
    rows = torch.arange(targets) * (batch * tokens) // targets
    truth = torch.randint(5, VOCABULARY, (targets,))
    classes = torch.arange(batch) % 2
    states = torch.compile(model.states) if kind == "compile" else model.states
    if what == "forward":
        model.eval()
    else:
        model.train()
        head.train()
        optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=1e-5)
    times = []
    for step in range(WARMUP + STEPS_TIMED):
        began = time.perf_counter()
        if what == "forward":
            with torch.no_grad():
                states(ids, mask).abs().mean().item()
        else:
            optimizer.zero_grad()
            x = states(ids, mask)
            if what == "mlm":
                loss = functional.cross_entropy(model.logits(x.reshape(-1, hidden)[rows]), truth)
            else:
                loss = functional.cross_entropy(head(x[:, 0]), classes)
            loss.backward()
            optimizer.step()
            loss.item()
        if step >= WARMUP:
            times.append((time.perf_counter() - began) * 1e3)
    print(json.dumps({"min_ms": min(times)}))


def measured(command):
    """The least time of a step that a process prints, and its largest resident memory in MB."""
    # As the workers of a comparison: freed memory is kept by the process. For all competitors.
    keep = {"MALLOC_TRIM_THRESHOLD_": "2000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000", "MALLOC_TOP_PAD_": "67108864"}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=subprocess.DEVNULL, env={**os.environ, **keep})
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        lines = [line for line in out.read().splitlines() if line.startswith("{")]
        if status != 0 or not lines:
            return None
        return json.loads(lines[-1])["min_ms"], usage.ru_maxrss / 1024


def check():
    """The PyTorch model gives the logits of the test vectors, with composed and with fused attention."""
    sys.path.insert(0, str(ROOT / "tests" / "interop"))
    import torch
    from safetensors.torch import load_file
    from twin import Twin

    vectors = ROOT / "tests/fixtures/vectors/dnabert2"
    expected = load_file(vectors / "masked_lm.safetensors")
    config = json.loads((vectors / "config.json").read_text())
    state = load_file(vectors / "model_original_names.safetensors")
    state.setdefault("cls.predictions.decoder.weight", state["bert.embeddings.word_embeddings.weight"])
    for fused in [False, True]:
        model = Twin({**config, "fused": fused, "hidden_dropout_prob": 0.0}, False).eval()
        model.load_state_dict({name: value for name, value in state.items() if "pooler" not in name}, strict=True)
        real = expected["attention_mask"].bool()
        with torch.no_grad():
            off = (model(expected["input_ids"], expected["attention_mask"]) - expected["logits"])[real].abs().max().item()
        assert off < 2e-5, off
        print(f"PyTorch {torch.__version__}, {'fused' if fused else 'composed'} attention: logits of the vectors differ by at most {off:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", type=pathlib.Path, default=ROOT / "target/release/examples/step_time")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("sizes", nargs="*", default=list(SIZES))
    arguments = parser.parse_args()
    if arguments.child == ["check"]:
        return check()
    if arguments.child:
        return child(*arguments.child, arguments.threads)
    # In a process of its own: the memory of this one counts for its children.
    subprocess.run([sys.executable, __file__, "--child", "check"], check=True)
    kinds = ["eager", "sdpa"] + (["compile"] if arguments.compile else [])
    print(f"{arguments.threads} threads, float32; ms a step (MB); ratio: the better PyTorch / tokbench, so above 1 tokbench is faster")
    print("| size | step | tokbench | products | share | " + " | ".join(f"PyTorch {kind}" for kind in kinds) + " | ratio |")
    print("|---|---|---|---|---|" + "---|" * (len(kinds) + 1))
    for size in arguments.sizes:
        *_, batch, tokens = SIZES[size]
        for what, title in STEPS.items():
            commands = {"tokbench": [arguments.example, "--size", size, "--what", what, "--batch", batch, "--tokens", tokens,
                                     "--threads", arguments.threads, "--iters", STEPS_TIMED, "--warmup", WARMUP]}
            commands["products"] = [*commands["tokbench"], "--products", "true"]
            for kind in kinds:
                commands[kind] = [sys.executable, __file__, "--threads", arguments.threads, "--child", kind, size, what]
            best = {}
            for _ in range(arguments.rounds):
                for name, command in commands.items():
                    found = measured(command)
                    if found and (name not in best or found[0] < best[name][0]):
                        best[name] = found
            cell = lambda name: f"{best[name][0]:.1f} ({best[name][1]:.0f})" if name in best else "failed"
            others = [best[kind][0] for kind in kinds if kind in best]
            ratio = f"{min(others) / best['tokbench'][0]:.2f}" if others and "tokbench" in best else "-"
            products = f"{best['products'][0]:.1f} | {best['products'][0] / best['tokbench'][0]:.0%}" if "products" in best and "tokbench" in best else "- | -"
            print(f"| {size} | {title} | {cell('tokbench')} | {products} | " + " | ".join(map(cell, kinds)) + f" | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
