"""`python -m signer` is the command line."""

from signer.cli import main

main()
