"""Files -> examples and back: SQuAD and KorQuAD, tables of rows, DataFrames, labelled texts, a sample of our own."""

from dokhae.data.audit import audit_file, repair_file, repair_misplaced
from dokhae.data.columns import Columns
from dokhae.data.frames import examples_from
from dokhae.data.pages import read_korquad2
from dokhae.data.placement import check_answers, drop_misplaced
from dokhae.data.reading import read_examples
from dokhae.data.sampling import sample_path
from dokhae.data.sentences import labels_of, read_texts
from dokhae.data.writing import write_examples

__all__ = [
    "Columns",
    "audit_file",
    "check_answers",
    "drop_misplaced",
    "examples_from",
    "labels_of",
    "read_examples",
    "read_korquad2",
    "read_texts",
    "repair_file",
    "repair_misplaced",
    "sample_path",
    "write_examples",
]
