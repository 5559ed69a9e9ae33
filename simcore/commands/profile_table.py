"""Profile table: how far a profile is off at points left out of it, and the bare roofline beside it."""

from collections.abc import Mapping


def print_errors(error: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print one row for each kind of operator and regime."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    bare = any("roofline_median" in row for regimes in error.values() for row in regimes.values())
    title = "relative error at points left out (every fifth of each axis)"
    title += "; bare: of the roofline at the same" if bare else ""
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("operator and regime", no_wrap=True)
    for name in ("points", "median", "p90", "worst", "bias", *(("bare", "p90") if bare else ())):
        table.add_column(name, justify="right")
    for kind, regimes in error.items():
        for regime, row in regimes.items():
            shares = [f"{row[key]:.1%}" for key in ("median", "p90", "worst")]
            roofline = [f"{row[key]:.1%}" for key in ("roofline_median", "roofline_p90") if key in row]
            name = kind if regime == "all" else f"  {regime}"
            table.add_row(name, f"{row['points']:,}", *shares, f"{row['bias']:+.1%}", *roofline)
    Console().print(table)
