"""Serve: an OpenAI-compatible HTTP server over a run on the wall clock; `serve_study` runs one.

Nothing here is imported by a run that is not served; the web stack (`pip install 'simcore[serve]'`) only when one is.
"""

from simcore.serve.study import Ready, serve_study

__all__ = ["Ready", "serve_study"]
