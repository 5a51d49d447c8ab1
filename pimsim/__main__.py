"""Run the command line: ``python -m pimsim``, and what the command ``pimsim`` calls."""

import sys


def main() -> None:
    """Run the command line; an interruption before it is up ends as quietly as one after."""
    try:
        from pimsim.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
