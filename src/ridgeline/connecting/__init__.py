"""Paths around the barrier: curves, elastic bands, stars and geodesics."""

from ridgeline.connecting.contract import Connected as Connected
from ridgeline.connecting.contract import Strategy as Strategy
from ridgeline.connecting.curves import CurveFinding as CurveFinding
from ridgeline.connecting.descent import Descended as Descended
from ridgeline.connecting.descent import Penalty as Penalty
from ridgeline.connecting.descent import Problem as Problem
from ridgeline.connecting.descent import descend as descend
from ridgeline.connecting.elastic import DRAXLER as DRAXLER
from ridgeline.connecting.elastic import THRESHOLDS as THRESHOLDS
from ridgeline.connecting.elastic import Cycle as Cycle
from ridgeline.connecting.elastic import ElasticBand as ElasticBand
from ridgeline.connecting.elastic import draxler as draxler
from ridgeline.connecting.looking import Look as Look
from ridgeline.connecting.nudging import Band as Band
from ridgeline.connecting.nudging import BandCycle as BandCycle
from ridgeline.connecting.nudging import nudge as nudge
from ridgeline.connecting.strategy import Descent as Descent
from ridgeline.connecting.verb import connect as connect
