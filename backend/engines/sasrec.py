"""SASRec in PyTorch, as its public implementations train it: what our SASRec's seconds per epoch are measured against.

    sasrec.py SEQUENCES [--epochs 3] [--threads 2] [--factors 64] [--blocks 1] [--loss bce | sampled-softmax | cross-entropy]

Kang and McAuley 2018: sequences padded on the left to one length, causal self-attention, point-wise layers, the items' vectors
on both sides, Adam. `bce` draws one item for each place, `sampled-softmax` 256; `cross-entropy` scores all items. Only places
that have a target reach the loss. `--cut` takes the columns of padding that all of a batch share away, which public
implementations do not. Prints one JSON object: the seconds of each epoch after the first.
"""

import argparse
import json
import random
import resource
import time
from pathlib import Path

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, factors, heads, dropout):
        super().__init__()
        self.before = nn.LayerNorm(factors, eps=1e-8)
        self.attention = nn.MultiheadAttention(factors, heads, dropout, batch_first=True)
        self.between = nn.LayerNorm(factors, eps=1e-8)
        self.layers = nn.Sequential(nn.Linear(factors, factors), nn.ReLU(), nn.Dropout(dropout),
                                    nn.Linear(factors, factors), nn.Dropout(dropout))

    def forward(self, x, future):
        query = self.before(x)
        x = self.between(query + self.attention(query, x, x, attn_mask=future, need_weights=False)[0])
        return x + self.layers(x)


class SASRec(nn.Module):
    """Item 0 is padding."""

    def __init__(self, items, factors, blocks, heads, length, dropout):
        super().__init__()
        self.items = nn.Embedding(items + 1, factors, padding_idx=0)
        self.positions = nn.Embedding(length, factors)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(factors, heads, dropout) for _ in range(blocks))
        self.last = nn.LayerNorm(factors, eps=1e-8)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        self.register_buffer("future", torch.triu(torch.ones(length, length, dtype=torch.bool), 1))

    def forward(self, sequences):
        # The last place is always the same, however long the padding before it is.
        length = len(self.positions.weight)
        places = torch.arange(length - sequences.shape[1], length, device=sequences.device)
        there = (sequences != 0).unsqueeze(-1)
        x = self.dropout(self.items(sequences) * self.items.embedding_dim**0.5 + self.positions(places)) * there
        for block in self.blocks:
            x = block(x, self.future[:sequences.shape[1], :sequences.shape[1]]) * there
        return self.last(x)


def loss_of(model, sequences, targets, kind, items):
    """The mean over the places that have a target."""
    asked = targets != 0
    vectors = model(sequences)[asked]
    if kind == "cross-entropy":
        return nn.functional.cross_entropy(vectors @ model.items.weight[1:].T, targets[asked] - 1)
    wanted = (vectors * model.items(targets[asked])).sum(-1, keepdim=True)
    drawn = torch.randint(1, items + 1, (vectors.shape[0], 1 if kind == "bce" else 256))
    others = torch.einsum("qd,qnd->qn", vectors, model.items(drawn))
    if kind == "bce":
        return nn.functional.softplus(-wanted).mean() + nn.functional.softplus(others).mean()
    scores = torch.cat([wanted, others], 1)
    return nn.functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long))


def read(path, length):
    """Training sequences (without the last two items) as inputs and targets, padded on the left."""
    inputs, targets, items = [], [], 0
    for line in Path(path).read_text().splitlines():
        sequence = [int(item) for item in line.split()[1:]]
        items = max(items, *sequence)
        train = sequence[:-2][-(length + 1):]
        if len(train) > 1:
            missing = [0] * (length + 1 - len(train))
            inputs.append(missing + train[:-1])
            targets.append(missing + train[1:])
    return torch.tensor(inputs), torch.tensor(targets), items


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sequences")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--heads", type=int, default=1)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--loss", choices=["bce", "sampled-softmax", "cross-entropy"], default="bce")
    parser.add_argument("--cut", action="store_true")
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    inputs, targets, items = read(arguments.sequences, arguments.length)
    model = SASRec(items, arguments.factors, arguments.blocks, arguments.heads, arguments.length, arguments.dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999))
    seconds, last = [], 0.0
    for _ in range(arguments.epochs):
        begun = time.perf_counter()
        total = 0.0
        for batch in torch.randperm(len(inputs)).split(arguments.batch_size):
            optimizer.zero_grad(set_to_none=True)
            given, wanted = inputs[batch], targets[batch]
            if arguments.cut:
                longest = int((wanted != 0).sum(1).max())
                given, wanted = given[:, -longest:], wanted[:, -longest:]
            loss = loss_of(model, given, wanted, arguments.loss, items)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        seconds.append(time.perf_counter() - begun)
        last = total / len(inputs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"name": f"PyTorch, SASRec, {arguments.loss}{', batches cut' if arguments.cut else ''}", "version": torch.__version__,
                      "seconds": seconds[1:] or seconds, "peak_bytes": peak, "note": f"last loss {last:.4f}"}), flush=True)


if __name__ == "__main__":
    main()
