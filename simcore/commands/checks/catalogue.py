"""Catalogue: whether every model, GPU, workload and policy that ships with simcore can be read."""

from simcore.commands.checks.check import Check


def catalogue() -> Check:
    """Read everything a study may name."""
    try:
        from simcore.study.names import Kind, named

        kinds: tuple[Kind, ...] = ("models", "hardware", "traces", "policies")
        counts = {kind: len([entry for _, entries in named(kind) for entry in entries]) for kind in kinds}
    except Exception as error:  # whatever is wrong with a file that ships, it is to be said and not to end the check
        return Check("catalogue", "problem", f"{type(error).__name__}: {error}", "install simcore again")
    empty = [kind for kind, count in counts.items() if not count]
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return Check("catalogue", "problem" if empty else "ok", said, "install simcore again" if empty else "")
