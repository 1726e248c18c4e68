"""The converter of BERT's run_squad.py, written plainly: words, then pieces word by word, windows in Python loops."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dokhae.types import Example

LONGEST_WORD = 100  # characters; longer words are unknown


@dataclass(frozen=True, slots=True)
class Window:
    """One padded window with its labels; (0, 0) where it does not hold the answer."""

    input_ids: list[int]
    input_mask: list[int]
    segment_ids: list[int]
    start_position: int
    end_position: int
    characters: dict[int, tuple[int, int]]  # column -> the word that the token is of, in characters


class WordPieces:
    """BERT's lower-casing tokenizer: words apart from punctuation, then the longest pieces first."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.vocabulary = vocabulary

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text."""
        return [piece for word in basic_words(text) for piece in self.pieces(word)]

    def pieces(self, word: str) -> list[str]:
        """The pieces of a word; [UNK] where the vocabulary does not have them."""
        if len(word) > LONGEST_WORD:
            return ["[UNK]"]
        found, start = [], 0
        while start < len(word):
            end = len(word)
            while start < end:
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocabulary:
                    break
                end -= 1
            if start == end:
                return ["[UNK]"]
            found.append(piece)
            start = end
        return found

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """Token ids."""
        return [self.vocabulary[token] for token in tokens]


def basic_words(text: str) -> Iterator[str]:
    """Lower-case words without accents, punctuation and Chinese characters by themselves."""
    cleaned = []
    for character in text:
        if character in "\0\ufffd" or (unicodedata.category(character)[0] == "C" and character not in "\t\n\r"):
            continue
        cleaned.append(f" {character} " if is_chinese(character) else " " if character.isspace() else character)
    for word in "".join(cleaned).split():
        plain = [one for one in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(one) != "Mn"]
        current = ""
        for character in plain:
            if is_punctuation(character):
                if current:
                    yield current
                yield character
                current = ""
            else:
                current += character
        if current:
            yield current


def is_chinese(character: str) -> bool:
    """Whether BERT takes the character for a word of its own."""
    code = ord(character)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or code >= 0x20000


def is_punctuation(character: str) -> bool:
    """All of ASCII that is neither letter, digit nor space, and Unicode's punctuation."""
    code = ord(character)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(character)[0] == "P"


def convert(
    examples: Sequence[Example], tokenizer: WordPieces, max_length: int, step: int, max_question_length: int = 64
) -> list[Window]:
    """The padded windows of all examples, each context tokenized again for every question."""
    windows: list[Window] = []
    for example in examples:
        words, word_of = split_words(example.context)
        question = tokenizer.tokenize(example.question)[:max_question_length]
        pieces: list[str] = []
        first_piece: list[int] = []
        owners: list[int] = []
        for number, (start, end) in enumerate(words):
            first_piece.append(len(pieces))
            for piece in tokenizer.tokenize(example.context[start:end]):
                owners.append(number)
                pieces.append(piece)
        answer = answer_pieces(example, tokenizer, pieces, word_of, first_piece)
        room = max_length - len(question) - 3
        start = 0
        while True:
            end = min(start + room, len(pieces))
            windows.append(make_window(question, pieces, owners, words, (start, end), answer, tokenizer, max_length))
            if end == len(pieces):
                break
            start += step
    return windows


def split_words(text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Ranges of the words between white space, and for every character the word that it is in or follows."""
    words: list[list[int]] = []
    word_of = []
    inside = False
    for position, character in enumerate(text):
        if character in " \t\r\n" or ord(character) == 0x202F:
            inside = False
        elif inside:
            words[-1][1] = position + 1
        else:
            words.append([position, position + 1])
            inside = True
        word_of.append(len(words) - 1)
    return [(start, end) for start, end in words], word_of


def answer_pieces(
    example: Example, tokenizer: WordPieces, pieces: list[str], word_of: list[int], first_piece: list[int]
) -> tuple[int, int] | None:
    """The first and last piece of the answer: its words, narrowed to the pieces that spell it where there are such."""
    if not example.answers:
        return None
    answer = example.answers[0]
    first = first_piece[word_of[answer.start]]
    after = word_of[answer.end - 1] + 1
    last = first_piece[after] - 1 if after < len(first_piece) else len(pieces) - 1
    wanted = " ".join(tokenizer.tokenize(answer.text))
    for start in range(first, last + 1):
        for end in range(last, start - 1, -1):
            if " ".join(pieces[start : end + 1]) == wanted:
                return start, end
    return first, last


def make_window(
    question: list[str],
    pieces: list[str],
    owners: list[int],
    words: list[tuple[int, int]],
    span: tuple[int, int],
    answer: tuple[int, int] | None,
    tokenizer: WordPieces,
    max_length: int,
) -> Window:
    """[CLS] question [SEP] pieces [SEP], padded with zeros."""
    start, end = span
    ids = tokenizer.ids(["[CLS]", *question, "[SEP]", *pieces[start:end], "[SEP]"])
    shift = len(question) + 2 - start
    padding = [0] * (max_length - len(ids))
    holds = answer is not None and start <= answer[0] and answer[1] < end
    first, last = (answer[0] + shift, answer[1] + shift) if answer is not None and holds else (0, 0)
    return Window(
        input_ids=ids + padding,
        input_mask=[1] * len(ids) + padding,
        segment_ids=[0] * (len(question) + 2) + [1] * (end - start + 1) + padding,
        start_position=first,
        end_position=last,
        characters={position + shift: words[owners[position]] for position in range(start, end)},
    )
