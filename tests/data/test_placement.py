import pytest

from dokhae.data import check_answers, drop_misplaced, read_examples
from dokhae.data.placement import nearest_start
from dokhae.errors import DataError
from dokhae.types import Answer, Example


def example(*answers, example_id="q1"):
    return Example(example_id, "Who?", "Ann met Bob, and Bob left.", answers)


ADVICE = "; `dokhae data audit FILE --repair OUT` mends what is certain, or train with --misplaced_answers repair"
FAULTS = [
    (Answer("Bob", 9), "the answer 'Bob' is not at offset 9, where 'ob,' stands; it is at offset 8" + ADVICE),
    (Answer("Bob", 15), "the answer 'Bob' is not at offset 15, where 'd B' stands; it is at offset 17" + ADVICE),
    (
        Answer("Eve", 0),
        "the answer 'Eve' is not at offset 0, where 'Ann' stands; it is nowhere in the context" + ADVICE,
    ),
    (
        Answer("left.", 25),
        "the answer 'left.' at offset 25 lies outside its context of 26 characters; it is at offset 21" + ADVICE,
    ),
    (
        Answer("Eve", 400),
        "the answer 'Eve' at offset 400 lies outside its context of 26 characters; it is nowhere in the context"
        + ADVICE,
    ),
    (
        Answer("", 4),
        "the answer at offset 4 is empty (a question without an answer has no answers at all)" + ADVICE,
    ),
]


@pytest.mark.parametrize(("answer", "message"), FAULTS)
def test_a_misplaced_answer_is_named_with_its_place(answer, message):
    with pytest.raises(DataError) as caught:
        check_answers([example(Answer("Ann", 0), answer)], "train.json")
    assert str(caught.value) == "train.json: question q1: " + message


def test_answers_at_their_offsets_pass():
    check_answers([example(), example(Answer("Ann", 0), Answer("left.", 21))], "train.json")


def test_examples_with_a_misplaced_answer_are_left_out_and_counted():
    good, unanswerable = example(Answer("Bob", 17)), example()
    kept, dropped = drop_misplaced([good, example(Answer("Ann", 0), Answer("Bob", 0)), unanswerable])
    assert (kept, dropped) == ([good, unanswerable], 1)


@pytest.mark.parametrize(("start", "nearest"), [(0, 8), (8, 8), (12, 8), (13, 17), (17, 17), (20, 17), (99, 17)])
def test_the_nearest_place_of_a_repeated_text(start, nearest):
    assert nearest_start("Bob", example().context, start) == nearest


def test_a_text_that_is_not_there_has_no_nearest_place():
    assert nearest_start("Eve", "Ann", 0) is None


@pytest.mark.parametrize("file", ["squad-1.1", "squad-2.0", "korquad-1.0"])
def test_real_training_files_are_in_order(shared, file):
    check_answers(read_examples(shared(f"{file}/train.json")), file)
