"""`python -m installer` is the same as `sitewright`."""

import sys

from installer.cli import main

sys.exit(main())
