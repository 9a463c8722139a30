"""The store: runs in folders addressed by what defines them, complete or not there at all."""

from ridgeline.study.store.claims import Claim as Claim
from ridgeline.study.store.provenance import provenance as provenance
from ridgeline.study.store.records import Identity as Identity
from ridgeline.study.store.records import StoredRun as StoredRun
from ridgeline.study.store.soundness import Problem as Problem
from ridgeline.study.store.store import Freed as Freed
from ridgeline.study.store.store import Store as Store

__all__ = ["Claim", "Freed", "Identity", "Problem", "Store", "StoredRun", "provenance"]
