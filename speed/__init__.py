"""dokhae measured against the plain Hugging Face way and the official scripts' algorithms; README.md says how."""
