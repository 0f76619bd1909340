#!/usr/bin/env python3
"""A tokenizer in Python for tokbench: motifs are one token each, by greedy longest match; other bases are single tokens.

usage: tokbench compare --tokenizers "base,exec:python3 examples/exec_tokenizer.py CG TATA AATAAA"
"""
import json
import sys

vocabulary = ["A", "C", "G", "T", *(motif for motif in sys.argv[1:] or ["CG", "TATA", "AATAAA"])]
ids = {token: number for number, token in enumerate(vocabulary)}
lengths = sorted({len(token) for token in vocabulary}, reverse=True)


def tokens(sequence):
    """The tokens of a sequence of A, C, G, T: index in the vocabulary, start, end."""
    found, start = [], 0
    while start < len(sequence):
        token = next(token for token in (sequence[start:start + length] for length in lengths) if token in ids)
        found.append((ids[token], start, start + len(token)))
        start += len(token)
    return found


for line in sys.stdin:  # one request and one answer a line
    request = json.loads(line)
    if request["request"] == "vocabulary":
        answer = {"name": "motifs", "vocabulary": vocabulary, "version": "1"}
    else:
        answer = {"tokens": [tokens(sequence) for sequence in request["sequences"]]}
    print(json.dumps(answer), flush=True)
