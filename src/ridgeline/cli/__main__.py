import sys

from ridgeline.cli.main import main

sys.exit(main())
