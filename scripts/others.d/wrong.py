"""The network of net.py with the mistake that MISTAKE names, as a port file: what a porter has whose port is a PyTorch module, too."""

import os

import net
from ports import mistakes, network

inputs = net.inputs


def build():
    module = network.build()
    {m.name: m.change for m in mistakes.ALL}[os.environ["MISTAKE"]](module)
    return module
