"""`python -m simcore` is `simcore`."""

from simcore.cli import main

main()
