"""Data sets from their official addresses, a mirror or a folder: each file whole and as published, or not at all."""

from dokhae.data.download.fetching import download
from dokhae.patience import Patience

__all__ = ["Patience", "download"]
