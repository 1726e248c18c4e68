"""What is in a data file and what is wrong with it (report), and a copy in which that is mended (repair)."""

from dokhae.data.audit.repair import repair_file, repair_misplaced
from dokhae.data.audit.report import audit_file

__all__ = ["audit_file", "repair_file", "repair_misplaced"]
