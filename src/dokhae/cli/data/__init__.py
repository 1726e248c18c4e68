"""dokhae data: a group of verbs, one a file."""

TITLE = "dokhae data: files of questions: fetch them, check them, change their form"
VERBS = {
    "download": "fetch a data set from its official address, whole or not at all",
    "audit": "what is in a file and what is wrong with it; also: mend it",
    "convert": "write a file in another format",
}
EXAMPLE = "dokhae data download korquad-1.0"
