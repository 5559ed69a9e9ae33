"""Commands: what `simcore` can be asked for beside running a study; each is a thin layer on the library."""
