"""BERT, ALBERT and ELECTRA computed by TensorFlow's own operations from the variables of a checkpoint, as their papers'
code does. Nothing of ours or of transformers is asked, so that it can be held against both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EPSILON = 1e-12  # of the layer norm of all three


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the shapes of variables do not tell."""

    layers: int
    heads: int
    activation: str  # gelu (exact), gelu_new (with tanh), relu or tanh
    groups: int = 1  # ALBERT's groups of layers that share their variables
    inner: int = 1  # attention and feed-forward in turns inside of one of ALBERT's layers


@dataclass(frozen=True, slots=True)
class Places:
    """Where the variables of a layer stand."""

    attention: str
    projection: str
    first_norm: str
    wide: str
    narrow: str
    second_norm: str


BERT_PLACES = Places(
    "attention/self",
    "attention/output/dense",
    "attention/output/LayerNorm",
    "intermediate/dense",
    "output/dense",
    "output/LayerNorm",
)
ALBERT_PLACES = Places(
    "attention_1/self",
    "attention_1/output/dense",
    "LayerNorm",
    "ffn_1/intermediate/dense",
    "ffn_1/intermediate/output/dense",
    "LayerNorm_1",
)


class Graph:
    """The computation over some variables; tensors are (tokens, width), for one text at a time."""

    def __init__(self, variables: Mapping[str, Any], sizes: Sizes, generator: bool = False) -> None:
        import tensorflow  # type: ignore[import-not-found,import-untyped,unused-ignore]

        self.tf = tensorflow
        self.values = variables  # by name, as numpy has them
        self.used: set[str] = set()  # of them, by what was computed so far
        self.sizes = sizes
        half = "generator" if generator else "electra"
        self.root = "bert" if any(name.startswith("bert/") for name in variables) else half
        self.shared = any("/transformer/group_" in name for name in variables)

    def outputs(self, ids: list[int], types: list[int]) -> dict[str, Any]:
        """What a text gives: hidden states by layer, pooled, logits of the heads that there are; numpy arrays."""
        states = [self.project(self.embed(ids, types))]
        for place in self.blocks():
            states.append(self.block(place, ALBERT_PLACES if self.shared else BERT_PLACES, states[-1]))
        named = {"embeddings": states[0]} | {f"layer {number}": state for number, state in enumerate(states[1:], 1)}
        return {name: value.numpy() for name, value in (named | self.heads(states[-1])).items()}

    def loss(self, logits: Any, start: int, end: int) -> Any:  # noqa: ANN401
        """Of a span head, (tokens, 2): the mean of both cross entropies, in float64; as numpy has it."""
        logs = self.tf.nn.log_softmax(self.tf.cast(logits, self.tf.float64), axis=0)
        return (-(logs[start, 0] + logs[end, 1]) / 2.0).numpy()

    def value(self, name: str) -> Any:  # noqa: ANN401 - a tensor
        """A variable in float32, whatever it was saved in."""
        self.used.add(name)
        return self.tf.cast(self.values[name], self.tf.float32)

    def has(self, place: str) -> bool:
        """Whether there are variables at a place."""
        return any(name.startswith(f"{place}/") for name in self.values)

    def dense(self, place: str, x: Any) -> Any:  # noqa: ANN401 - tensors, here and below
        """(tokens, in) -> (tokens, out)."""
        return self.tf.matmul(x, self.value(f"{place}/kernel")) + self.value(f"{place}/bias")

    def norm(self, place: str, x: Any) -> Any:  # noqa: ANN401
        """Over the width."""
        mean, variance = self.tf.nn.moments(x, [-1], keepdims=True)
        scaled = (x - mean) * self.tf.math.rsqrt(variance + EPSILON)
        return scaled * self.value(f"{place}/gamma") + self.value(f"{place}/beta")

    def activate(self, x: Any, name: str = "") -> Any:  # noqa: ANN401
        """The activation of the settings, or another one by name."""
        tf, name = self.tf, name or self.sizes.activation
        if name == "gelu":
            return 0.5 * x * (1.0 + tf.math.erf(x / math.sqrt(2.0)))
        if name == "gelu_new":
            return 0.5 * x * (1.0 + tf.math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
        return {"relu": tf.nn.relu, "tanh": tf.math.tanh}[name](x)

    def embed(self, ids: list[int], types: list[int]) -> Any:  # noqa: ANN401
        """The sum of three tables, normalised."""
        root = self.root if self.has(f"{self.root}/embeddings") else "electra"  # a generator may share them
        gather, place = self.tf.gather, f"{root}/embeddings"
        words = gather(self.value(f"{place}/word_embeddings"), ids)
        kinds = gather(self.value(f"{place}/token_type_embeddings"), types)
        positions = self.value(f"{place}/position_embeddings")[: len(ids)]
        return self.norm(f"{place}/LayerNorm", words + kinds + positions)

    def project(self, x: Any) -> Any:  # noqa: ANN401
        """From the embeddings' width to the layers', where they differ."""
        for place in (f"{self.root}/embeddings_project", f"{self.root}/encoder/embedding_hidden_mapping_in"):
            if self.has(place):
                return self.dense(place, x)
        return x

    def blocks(self) -> Iterator[str]:
        """Where the layers stand, in their order; ALBERT's come again and again."""
        for number in range(self.sizes.layers):
            group = number * self.sizes.groups // self.sizes.layers
            if self.shared:
                place = f"{self.root}/encoder/transformer/group_{group}/inner_group_"
                yield from (f"{place}{inner}" for inner in range(self.sizes.inner))
            else:
                yield f"{self.root}/encoder/layer_{number}"

    def block(self, place: str, names: Places, x: Any) -> Any:  # noqa: ANN401
        """Attention and feed-forward, each added to what came in and normalised."""
        mixed = self.dense(f"{place}/{names.projection}", self.attention(f"{place}/{names.attention}", x))
        x = self.norm(f"{place}/{names.first_norm}", mixed + x)
        wide = self.activate(self.dense(f"{place}/{names.wide}", x))
        return self.norm(f"{place}/{names.second_norm}", self.dense(f"{place}/{names.narrow}", wide) + x)

    def attention(self, place: str, x: Any) -> Any:  # noqa: ANN401
        """Every token over all tokens; a text has no padding."""
        tf, tokens, width = self.tf, x.shape[0], x.shape[1]
        size = width // self.sizes.heads

        def split(name: str) -> Any:  # noqa: ANN401 - (heads, tokens, size)
            return tf.transpose(tf.reshape(self.dense(f"{place}/{name}", x), (tokens, -1, size)), (1, 0, 2))

        scores = tf.matmul(split("query"), split("key"), transpose_b=True) / math.sqrt(size)
        mixed = tf.matmul(tf.nn.softmax(scores), split("value"))
        return tf.reshape(tf.transpose(mixed, (1, 0, 2)), (tokens, width))

    def heads(self, last: Any) -> dict[str, Any]:  # noqa: ANN401
        """The pooled output and the logits of the heads that have variables."""
        found: dict[str, Any] = {}
        if self.has("bert/pooler/dense"):
            found["pooled output"] = self.tf.math.tanh(self.dense("bert/pooler/dense", last[:1]))
        pooled = found.get("pooled output")
        makers: dict[str, tuple[str, Callable[[], Any]]] = {
            "span logits": ("cls/squad", lambda: self.rows("cls/squad", last)),
            "word logits": (self.words, lambda: self.word_logits(last)),
            "replaced logits": ("discriminator_predictions", lambda: self.replaced(last)),
        }
        found |= {name: make() for name, (place, make) in makers.items() if self.has(place)}
        if pooled is not None and self.has("cls/seq_relationship"):
            found["sentence logits"] = self.rows("cls/seq_relationship", pooled)
        if pooled is not None and "output_weights" in self.values:
            found["label logits"] = self.rows("", pooled)
        return found

    @property
    def words(self) -> str:
        """Where the head stands that guesses masked words."""
        return "generator_predictions" if self.root == "generator" else "cls/predictions"

    def rows(self, place: str, x: Any) -> Any:  # noqa: ANN401
        """A head that has a row for each of its outputs."""
        prefix = f"{place}/" if place else ""
        weights, bias = self.value(f"{prefix}output_weights"), self.value(f"{prefix}output_bias")
        return self.tf.matmul(x, weights, transpose_b=True) + bias

    def word_logits(self, x: Any) -> Any:  # noqa: ANN401
        """One for each entry of the vocabulary, by its embedding."""
        generator = self.root == "generator"
        place = self.words if generator else f"{self.words}/transform"
        hidden = self.activate(self.dense(f"{place}/dense", x), "gelu" if generator else "")
        hidden = self.norm(f"{place}/LayerNorm", hidden)
        root = self.root if self.has(f"{self.root}/embeddings") else "electra"
        table = self.value(f"{root}/embeddings/word_embeddings")
        return self.tf.matmul(hidden, table, transpose_b=True) + self.value(f"{self.words}/output_bias")

    def replaced(self, x: Any) -> Any:  # noqa: ANN401
        """Whether a token was replaced by the generator."""
        hidden = self.activate(self.dense("discriminator_predictions/dense", x))
        return self.dense("discriminator_predictions/dense_1", hidden)
