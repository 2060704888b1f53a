"""`python -m dsmilctl` is the command `dsmilctl`."""

from dsmilctl.cli import program

if __name__ == "__main__":
    program()
