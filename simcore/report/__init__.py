"""Report: a result folder as one page, to be read, printed and forwarded; nothing in it is fetched from anywhere."""

from simcore.report.folder import NotAResult, ResultFolder
from simcore.report.page import write_html

__all__ = ["NotAResult", "ResultFolder", "write_html"]
