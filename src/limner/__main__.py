"""`python -m limner`: the same as the command `limner`."""

from limner.cli import main

main()
