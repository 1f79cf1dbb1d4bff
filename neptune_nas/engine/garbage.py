"""An import for a fork server alone: it looks for no garbage in what is imported after it.

Modules stay, and looking through those of torch takes a third of the time of their import. A worker
turns the search on again (`engine/worker`). Import this nowhere else.
"""

import atexit
import gc

gc.disable()
atexit.register(gc.freeze)  # or the server's end looks through them twice
