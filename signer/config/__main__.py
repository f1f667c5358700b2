"""`python -m signer.config > docs/config.md`."""

import sys

from signer.config.reference import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
