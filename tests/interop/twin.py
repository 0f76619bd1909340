"""DNABERT-2 in plain PyTorch, written from its description, under the names of the original release."""
import math

import torch
from torch import nn
from torch.nn import functional


def slopes(heads):
    """ALiBi slopes: a geometric sequence, filled up from the one of twice the length if the number is no power of two."""
    lower = 2 ** math.floor(math.log2(heads))
    of = lambda count: [2 ** (-8 * (i + 1) / count) for i in range(count)]
    return (of(lower) + of(2 * lower)[::2])[:heads]


class Norm(nn.LayerNorm):
    pass


class SelfAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.Wqkv = nn.Linear(c["hidden_size"], 3 * c["hidden_size"])


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = nn.Linear(c["hidden_size"], c["hidden_size"])
        self.LayerNorm = Norm(c["hidden_size"], eps=c["layer_norm_eps"])


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self = SelfAttention(c)
        self.output = Residual(c)
        self.heads = c["num_attention_heads"]
        self.fused = c.get("fused", False)
        self.dropout = nn.Dropout(c.get("hidden_dropout_prob", 0.0))

    def forward(self, x, bias):
        batch, length, hidden = x.shape
        split = lambda t: t.view(batch, length, self.heads, hidden // self.heads).transpose(1, 2)
        query, key, value = map(split, self.self.Wqkv(x).chunk(3, dim=-1))
        if self.fused:
            context = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        else:
            weights = (query @ key.transpose(2, 3) / math.sqrt(hidden // self.heads) + bias).softmax(-1)
            context = weights @ value
        context = context.transpose(1, 2).reshape(batch, length, hidden)
        return self.output.LayerNorm(x + self.dropout(self.output.dense(context)))


class FeedForward(nn.Module):
    def __init__(self, c):
        super().__init__()
        hidden, inner = c["hidden_size"], c["intermediate_size"]
        self.gated_layers = nn.Linear(hidden, 2 * inner, bias=False)
        self.wo = nn.Linear(inner, hidden)
        self.layernorm = Norm(hidden, eps=c["layer_norm_eps"])
        self.dropout = nn.Dropout(c.get("hidden_dropout_prob", 0.0))

    def forward(self, x):
        gate, values = self.gated_layers(x).chunk(2, dim=-1)
        return self.layernorm(x + self.wo(self.dropout(functional.gelu(gate) * values)))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attention, self.mlp = Attention(c), FeedForward(c)


class Embeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embeddings = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.token_type_embeddings = nn.Embedding(c["type_vocab_size"], c["hidden_size"])
        self.LayerNorm = Norm(c["hidden_size"], eps=c["layer_norm_eps"])


class Bert(nn.Module):
    def __init__(self, c, pooler):
        super().__init__()
        self.embeddings = Embeddings(c)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))})
        if pooler:
            self.pooler = nn.ModuleDict({"dense": nn.Linear(c["hidden_size"], c["hidden_size"])})


class Predictions(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.transform = Residual(c)
        self.decoder = nn.Linear(c["hidden_size"], c["vocab_size"])


class Twin(nn.Module):
    """DNABERT-2 with the masked-language-model head, or with a sequence classifier, under the names of the original release."""

    def __init__(self, c, pooler, classes=0):
        super().__init__()
        self.bert = Bert(c, pooler or classes > 0)
        if classes:
            self.classifier = nn.Linear(c["hidden_size"], classes)
        else:
            self.cls = nn.ModuleDict({"predictions": Predictions(c)})
        self.slopes = torch.tensor(slopes(c["num_attention_heads"]))
        self.dropout = nn.Dropout(c.get("hidden_dropout_prob", 0.0))

    def states(self, ids, mask):
        embeddings = self.bert.embeddings
        x = embeddings.LayerNorm(embeddings.word_embeddings(ids) + embeddings.token_type_embeddings.weight[0])
        x = self.dropout(x)
        at = torch.arange(ids.shape[1])
        bias = -self.slopes.view(1, -1, 1, 1) * (at[None] - at[:, None]).abs()
        bias = bias + torch.where(mask[:, None, None, :].bool(), 0.0, -1e9)
        for layer in self.bert.encoder["layer"]:
            x = layer.mlp(layer.attention(x, bias))
        return x

    def logits(self, states):
        head = self.cls["predictions"]
        x = states
        return head.decoder(head.transform.LayerNorm(functional.gelu(head.transform.dense(x))))

    def forward(self, ids, mask):
        states = self.states(ids, mask)
        if hasattr(self, "classifier"):
            return self.classifier(torch.tanh(self.bert.pooler["dense"](states[:, 0])))
        return self.logits(states)
