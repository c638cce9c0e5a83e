"""`python -m parity_port.worker NET.py`: answers what parity asks of the network in NET.py."""

import sys

from . import wire
from .asks import Asks

wire.serve(Asks(sys.argv[1]).answer)
