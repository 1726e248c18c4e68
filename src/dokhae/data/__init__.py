"""Files -> examples: SQuAD and KorQuAD, tables of rows, and a small sample of our own."""

from dokhae.data.korquad2 import read_korquad2
from dokhae.data.placement import check_answers, drop_misplaced
from dokhae.data.reading import read_examples
from dokhae.data.sampling import sample_path

__all__ = ["check_answers", "drop_misplaced", "read_examples", "read_korquad2", "sample_path"]
