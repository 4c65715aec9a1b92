"""`python -m a2p_core` is the command line `a2p`."""

import os
import sys

try:
    from .cli import main

    sys.exit(main())
except KeyboardInterrupt:  # so early that the command line was not there to hear it
    os.write(2, b"Cancelled; nothing was written.\n")
    os._exit(130)
