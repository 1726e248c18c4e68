"""Web pages: HTML -> the text that a model reads, with the place of every character; spans that cut no tag in two."""
