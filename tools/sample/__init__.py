"""Invented passages with questions: templates (ko.yaml, en.yaml), names, and how they are put together."""
