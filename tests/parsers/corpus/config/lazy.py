from mmengine.config import read_base
with read_base():
    from .c import *
from torch.optim import SGD
a = dict(type=SGD, lr=0.1)
a.update(dict(_delete_=True, b="x" % (1, ), c=-1 if a else not 2))
for i, k in enumerate(['x', 'y']):
    a[k] = i
