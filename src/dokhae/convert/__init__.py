"""Checkpoints from before transformers -> Hugging Face folders, and the proof that both compute the same."""
