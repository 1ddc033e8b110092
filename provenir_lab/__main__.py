"""`python -m provenir_lab` is `provenir-lab`."""

from provenir_lab.cli import main

if __name__ == "__main__":
    main()
