"""`python -m dsmilctl` is the command `dsmilctl`."""

import sys

from dsmilctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
