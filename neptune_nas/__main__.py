"""`python -m neptune_nas` is `neptune-nas`."""

from neptune_nas.cli import main

main()
