"""`python -m ftlab`, which `accelerate launch -m ftlab ...` needs."""

from ftlab.cli import main

raise SystemExit(main())
