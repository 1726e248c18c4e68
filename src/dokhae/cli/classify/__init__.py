"""dokhae classify: a group of verbs, one a file."""

TITLE = "dokhae classify: classes or numbers for texts and pairs of texts: GLUE's tasks, and files of your own"
VERBS = {
    "train": "fine-tune an encoder and score it; also: go on with an interrupted run",
    "predict": "classify the texts of a file",
    "evaluate": "score a predictions file as GLUE does",
}
EXAMPLE = (
    "dokhae classify train --task mrpc --model google-bert/bert-base-uncased \\\n"
    "           --train MRPC/train.tsv --dev MRPC/dev.tsv --out runs/mrpc"
)
