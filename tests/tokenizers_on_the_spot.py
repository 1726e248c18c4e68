"""Real tokenizers of every kind, trained on the spot on the packaged sample and a few lines of difficult text.

>>> fast = train_tokenizer("bert")         # a fast tokenizer of transformers
>>> tokenizer = pair_tokenizer("roberta")  # the same as dokhae sees it
"""

from __future__ import annotations

import functools
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from dokhae.data import read_examples, sample_path
from dokhae.encoding import PairTokenizer

DIFFICULT = (
    "Café déjà vu, naïve façade, Ångström, İstanbul'da ılık, Straße, ﬁnance oﬃce. “Quoted” — 50% (fifty), £9.99!",
    "한국어는 가각 힣 뷁 웨 ㅋㅋㅋ ㅠㅠ 이다. 《대한민국》은 大韓民國, ‘서울’에서 2010년 3월에. ① ㈜ ㎏ ½",
    "हिन्दी में किताबें और क़लम. Ελληνικά, русский язык. 日本語の文字、ｶﾞｷﾞ。",
    "😀 👨 👩 ❤ ☎ 🇰🇷",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z",
)
CONTEXTS = 150  # of the sample
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
XLNET_SPECIALS = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eop>", "<eod>"]
ALBERT_SPECIALS = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
GEMMA_SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
DEBERTA_SPECIALS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
BIG_BIRD_SPECIALS = ["<pad>", "</s>", "<s>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
SIZE = 1200  # entries: enough for words of the sample, few enough that most words fall into pieces


def train_tokenizer(kind: str) -> Any:
    """A fresh fast tokenizer of transformers; `kind` is a key of TOKENIZERS. The same vocabulary every time."""
    return TOKENIZERS[kind]()


@functools.cache
def pair_tokenizer(kind: str) -> PairTokenizer:
    """The tokenizer as dokhae sees it; shared, for it has no state."""
    return PairTokenizer.of(train_tokenizer(kind))


def train_luke() -> Any:
    """LUKE's: RoBERTa's with a vocabulary of entities. Not one of TOKENIZERS, for its models are refused."""
    entries, merges = byte_level()
    entities = _numbered(("[UNK]", "[PAD]", "[MASK]", "[MASK2]", "서울"))
    return transformers.LukeTokenizer(vocab=_numbered(entries), merges=list(merges), entity_vocab=entities)


def corpus() -> Iterator[str]:
    """Some 40,000 characters, half Korean, half English, with the difficult lines often enough to be learnt."""
    yield from list(dict.fromkeys(example.context for example in read_examples(sample_path("train"))))[:CONTEXTS]
    for _ in range(3):
        yield from DIFFICULT


def decomposed() -> Iterator[str]:
    """The same as ALBERT's and XLNet's normalisers leave it: Hangul in jamo, no accents."""
    normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()])
    return (normalizer.normalize_str(text) for text in corpus())


def lowered() -> Iterator[str]:
    return (text.lower() for text in decomposed())


@functools.cache
def wordpiece(lower_case: bool) -> tuple[str, ...]:
    """Every character, whole and continuing, then the commonest words and tails of words.

    Counted by hand: the trainer of `tokenizers` numbers its continuing pieces in another order each time.
    """
    normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in corpus() for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        pieces[word] += count
        pieces.update({f"##{word[-length:]}": count for length in (2, 3) if length < len(word)})
    letters = sorted({letter for word in words for letter in word})
    common = sorted((piece for piece in pieces if len(piece) > 1), key=lambda piece: (-pieces[piece], piece))
    return (*BERT_SPECIALS, *letters, *(f"##{letter}" for letter in letters), *common[:SIZE])


@functools.cache
def byte_level() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    options = {"vocab_size": SIZE, "special_tokens": ROBERTA_SPECIALS, "initial_alphabet": alphabet}
    return _train(tokenizer, trainers.BpeTrainer(**options)), _merges(tokenizer)


@functools.cache
def word_marked() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Entries and merges of a BPE with word marks that falls back to bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = [*GEMMA_SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=SIZE, special_tokens=specials, limit_alphabet=90)
    return _train(tokenizer, trainer), _merges(tokenizer)


@functools.cache
def sentence_pieces(
    texts: Callable[[], Iterator[str]], normalizer: str, specials: tuple[str, ...]
) -> tuple[tuple[tuple[str, float], ...], bytes]:
    """Entries with their scores after the special ones, and the compiled table of sentencepiece's own normaliser."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=texts(),
        model_writer=written,
        vocab_size=700,
        character_coverage=0.995,
        normalization_rule_name=normalizer,
        num_threads=1,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto.FromString(written.getvalue())
    learnt = ((piece.piece, piece.score) for piece in model.pieces if piece.type == piece.NORMAL)
    return (*((special, 0.0) for special in specials), *learnt), model.normalizer_spec.precompiled_charsmap


def _train(tokenizer: Tokenizer, trainer: Any) -> tuple[str, ...]:
    trainer.show_progress = False
    tokenizer.train_from_iterator(corpus(), trainer)
    vocabulary = tokenizer.get_vocab()
    return tuple(sorted(vocabulary, key=vocabulary.__getitem__))


def _merges(tokenizer: Tokenizer) -> tuple[tuple[str, str], ...]:
    return tuple(tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"])


def _numbered(entries: tuple[str, ...]) -> dict[str, int]:
    return {entry: number for number, entry in enumerate(entries)}


def _bert(lower_case: bool = False, name: str = "BertTokenizerFast") -> Any:
    return getattr(transformers, name)(vocab=_numbered(wordpiece(lower_case)), do_lower_case=lower_case)


def _bert_composing() -> Any:
    fast = _bert()
    fast.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.BertNormalizer(lowercase=False)]
    )
    return fast


def _roberta(normalizer: Any = None, **options: Any) -> Any:
    entries, merges = byte_level()
    fast = transformers.RobertaTokenizerFast(vocab=_numbered(entries), merges=list(merges), **options)
    if normalizer is not None:
        fast.backend_tokenizer.normalizer = normalizer
    return fast


def _albert() -> Any:
    entries, _ = sentence_pieces(lowered, "identity", tuple(ALBERT_SPECIALS))
    return transformers.AlbertTokenizerFast(vocab=list(entries))


def _xlm_roberta() -> Any:
    entries, table = sentence_pieces(corpus, "nmt_nfkc", tuple(ROBERTA_SPECIALS))
    return transformers.XLMRobertaTokenizerFast(vocab=list(entries), _spm_precompiled_charsmap=table)


def _xlnet() -> Any:
    entries, _ = sentence_pieces(decomposed, "identity", tuple(XLNET_SPECIALS))
    names = ["input_ids", "token_type_ids", "attention_mask"]
    fast = transformers.XLNetTokenizerFast(vocab=list(entries), model_input_names=names)
    fast._pad_token_type_id = 3  # as its class says; transformers 5.23 overwrites it with 0, and forgets the types
    return fast


def _deberta() -> Any:
    entries, _ = sentence_pieces(corpus, "identity", tuple(DEBERTA_SPECIALS))
    return transformers.DebertaV2TokenizerFast(vocab=list(entries))


def _big_bird() -> Any:
    entries, _ = sentence_pieces(corpus, "identity", tuple(BIG_BIRD_SPECIALS))
    return transformers.BigBirdTokenizerFast(vocab=list(entries))


def _modernbert() -> Any:
    """Byte-level BPE with BERT's special tokens behind the others, two token types, and offsets with their spaces."""
    learnt, merges = byte_level()
    entries = (*learnt[len(ROBERTA_SPECIALS) :], *BERT_SPECIALS)
    backend = Tokenizer(models.BPE(_numbered(entries), list(merges)))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", entries.index("[CLS]")), ("[SEP]", entries.index("[SEP]"))],
    )
    names = ("pad", "unk", "cls", "sep", "mask")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{f"{name}_token": token for name, token in zip(names, BERT_SPECIALS, strict=True)},
        model_input_names=["input_ids", "attention_mask"],
    )


def _gemma() -> Any:
    """As mmBERT's: spaces become word marks in the normaliser, and what is not in the vocabulary becomes bytes."""
    entries, merges = word_marked()
    model = models.BPE(_numbered(entries), list(merges), unk_token="<unk>", byte_fallback=True)
    backend = Tokenizer(model)
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    backend.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>",
        pair="<bos> $A <eos> $B <eos>",
        special_tokens=[("<bos>", entries.index("<bos>")), ("<eos>", entries.index("<eos>"))],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token="<bos>",
        sep_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "bert": _bert,
    "bert-uncased": lambda: _bert(lower_case=True),
    "electra": lambda: _bert(name="ElectraTokenizerFast"),
    "distilbert": lambda: _bert(name="DistilBertTokenizerFast"),
    "roberta": _roberta,
    "albert": _albert,
    "xlm-roberta": _xlm_roberta,
    "xlnet": _xlnet,
    "deberta": _deberta,
    "big-bird": _big_bird,
    "modernbert": _modernbert,
    # The rest for the sake of their offsets and layouts.
    "bert-nfc": _bert_composing,
    "roberta-untrimmed": lambda: _roberta(trim_offsets=False),
    "roberta-left": lambda: _roberta(padding_side="left"),
    "roberta-nfc": lambda: _roberta(normalizers.NFC(), add_prefix_space=True),
    "gemma": _gemma,
}
