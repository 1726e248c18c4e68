"""Data sets from their official addresses, a mirror or a folder: each file whole and as published, or not at all."""

from dokhae.data.download.asking import Patience
from dokhae.data.download.fetching import download

__all__ = ["Patience", "download"]
