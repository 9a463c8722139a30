"""Training: many networks at once, by one loop, and what is kept of them.

`train` trains one network, `train_many` any number; runs that share an architecture and a
recipe's shape go together through stacked states. A member equals the same run trained alone.
"""

from ridgeline.training.arrangement import Arrangement as Arrangement
from ridgeline.training.arrangement import arrange as arrange
from ridgeline.training.arrangement import busy as busy
from ridgeline.training.arrangement import cores_here as cores_here
from ridgeline.training.arrangement import stackable as stackable
from ridgeline.training.arrangement import threads_here as threads_here
from ridgeline.training.catalogue import OPTIMISERS as OPTIMISERS
from ridgeline.training.durations import Duration as Duration
from ridgeline.training.grafting import Grafted as Grafted
from ridgeline.training.grouping import likeness as likeness
from ridgeline.training.loop import train as train
from ridgeline.training.loop import train_many as train_many
from ridgeline.training.loop import train_together as train_together
from ridgeline.training.optimisers import SGD as SGD
from ridgeline.training.optimisers import Adam as Adam
from ridgeline.training.optimisers import AdamW as AdamW
from ridgeline.training.optimisers import Library as Library
from ridgeline.training.optimisers import Optimiser as Optimiser
from ridgeline.training.optimisers import RMSProp as RMSProp
from ridgeline.training.penalties import L1 as L1
from ridgeline.training.penalties import Penalty as Penalty
from ridgeline.training.penalties import Radius as Radius
from ridgeline.training.recipe import EMA as EMA
from ridgeline.training.recipe import SWA as SWA
from ridgeline.training.recipe import Augment as Augment
from ridgeline.training.recipe import Keep as Keep
from ridgeline.training.recipe import Recipe as Recipe
from ridgeline.training.recipe import Relabel as Relabel
from ridgeline.training.runs import Keeper as Keeper
from ridgeline.training.runs import Member as Member
from ridgeline.training.runs import Origin as Origin
from ridgeline.training.runs import Run as Run
from ridgeline.training.runs import Snapshot as Snapshot
from ridgeline.training.runs import TrainingStatus as TrainingStatus
from ridgeline.training.schedules import SCHEDULES as SCHEDULES
from ridgeline.training.schedules import Constant as Constant
from ridgeline.training.schedules import Cosine as Cosine
from ridgeline.training.schedules import Cyclic as Cyclic
from ridgeline.training.schedules import HeldThenLinear as HeldThenLinear
from ridgeline.training.schedules import Linear as Linear
from ridgeline.training.schedules import Schedule as Schedule
from ridgeline.training.schedules import Steps as Steps
from ridgeline.training.schedules import Triangular as Triangular
