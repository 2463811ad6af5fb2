"""`python -m outlive` is `outlive`."""

from outlive.cli import main

main()
