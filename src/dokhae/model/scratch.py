"""An untrained encoder in a folder: for the demo, for baselines, and for trying the road out without a download."""

from __future__ import annotations

from pathlib import Path

from dokhae.errors import SettingsError
from dokhae.files import read_text
from dokhae.model.saving import save_model


def new_encoder(
    folder: Path,
    vocabulary: Path,
    layers: int = 4,
    hidden_size: int = 128,
    heads: int = 4,
    lower_case: bool = False,
    max_length: int = 512,
    seed: int = 0,
) -> Path:
    """Write a randomly initialised BERT with a WordPiece vocabulary (a vocab.txt) to `folder`, and return it."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering, BertTokenizer

    sizes = {"layers": layers, "hidden_size": hidden_size, "heads": heads, "max_length": max_length}
    for name, size in sizes.items():
        if size < 1:
            raise SettingsError(f"{name} is {size}; it has to be at least 1")
    if hidden_size % heads:
        raise SettingsError(f"hidden_size {hidden_size} does not divide into {heads} heads")
    words = read_text(vocabulary).splitlines()
    missing = [token for token in ("[PAD]", "[UNK]", "[CLS]", "[SEP]") if token not in words]
    if missing:
        raise SettingsError(f"{vocabulary}: is not a WordPiece vocabulary: it lacks {', '.join(missing)}")
    tokenizer = BertTokenizer(vocab=str(vocabulary), do_lower_case=lower_case, model_max_length=max_length)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden_size,
        max_position_embeddings=max_length,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    model = BertForQuestionAnswering(config)
    save_model(folder, model, tokenizer)
    return folder
