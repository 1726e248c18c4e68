"""One fit(): from data files and an encoder to a run folder with a fine-tuned reader and its official scores."""

from dokhae.training.config import TrainConfig

__all__ = ["TrainConfig"]
