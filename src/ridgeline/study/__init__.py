"""Studies: specs of many runs, the store that keeps them, and the executors that train them."""

from ridgeline.study.config import DataConfig as DataConfig
from ridgeline.study.config import NetConfig as NetConfig
from ridgeline.study.config import RunConfig as RunConfig
from ridgeline.study.config import SkewConfig as SkewConfig
from ridgeline.study.config import SpawnConfig as SpawnConfig
from ridgeline.study.executors import Executor as Executor
from ridgeline.study.executors import Failure as Failure
from ridgeline.study.executors import InProcess as InProcess
from ridgeline.study.executors import Workers as Workers
from ridgeline.study.plan import Machine as Machine
from ridgeline.study.populations import Population as Population
from ridgeline.study.populations import Watcher as Watcher
from ridgeline.study.populations import populate as populate
from ridgeline.study.spec import Spec as Spec
from ridgeline.study.spec import load_spec as load_spec
from ridgeline.study.store import Store as Store
from ridgeline.study.store import StoredRun as StoredRun
