"""`python -m a2p_core` is the command line `a2p`."""

import sys

from .cli import main

sys.exit(main())
