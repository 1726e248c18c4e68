"""Data sets from their official addresses, a mirror or a folder: each file whole and as published, or not at all."""

from dokhae.data.download.bringing import download
from dokhae.data.download.folders import Archives
from dokhae.patience import Patience

__all__ = ["Archives", "Patience", "download"]
