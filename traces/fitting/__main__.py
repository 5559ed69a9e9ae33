"""python -m traces.fitting FOLDER: the goodness of every fit, as Markdown, from a folder of public traces."""

import argparse
import sys
from pathlib import Path

from traces.fitting.report import report


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m traces.fitting", description="Goodness of fit, as Markdown.")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    try:
        for line in report(asked.folder):
            print(line)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
