n = 3
lr = 1e-3
model = dict(
    type='Net',
    head=dict(type='Head', num_classes=n, size=2**4, loss_a=dict(type='Loss', w=.5)),
    init_cfg=dict(type='Pretrained', checkpoint='a.pth'))
pipe = [dict(type='Load'), *[dict(type='Pack', meta_keys=('img_shape', )) for _ in range(2)]]
data = dict(dataset=dict(metainfo=dict(classes=('a', 'b')), pipeline=pipe[:1]))
if n > 2:
    model['head'].update(size=f'{n:>4}')
optim = dict(paramwise_cfg=dict(custom_keys={'b': dict(lr_mult=0)}))  # frozen
class Base:
    def __init__(self, w=1):
        self.w = w
class Loss(Base):
    def __init__(self, **rest):
        super().__init__(**rest)
class Head:
    def __init__(self, num_classes, loss_a, *, size=1):
        self.all = num_classes, loss_a
