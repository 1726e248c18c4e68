"""Encoders with a span head, through transformers' auto classes; torch is imported by the modules below, not here."""
