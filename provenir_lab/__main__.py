"""`python -m provenir_lab` is `provenir-lab`."""

import sys

from provenir_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
