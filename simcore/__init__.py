"""simcore: which scheduling policy to run, for your traffic and your SLO, and whether to believe it."""

__version__ = "0.1.0"
