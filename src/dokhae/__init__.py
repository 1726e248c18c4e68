"""dokhae (독해): extractive question answering, Korean and English."""

__version__ = "0.1.0.dev0"
