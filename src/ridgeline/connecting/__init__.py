"""Paths around the barrier: curves, elastic bands, stars and geodesics."""

from ridgeline.connecting.elastic import DRAXLER as DRAXLER
from ridgeline.connecting.elastic import THRESHOLDS as THRESHOLDS
from ridgeline.connecting.elastic import Cycle as Cycle
from ridgeline.connecting.elastic import ElasticBand as ElasticBand
from ridgeline.connecting.elastic import draxler as draxler
from ridgeline.connecting.nudging import Band as Band
from ridgeline.connecting.nudging import BandCycle as BandCycle
from ridgeline.connecting.nudging import nudge as nudge
