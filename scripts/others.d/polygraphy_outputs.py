"""What the module returns, as `polygraphy run --load-inputs inputs.json --load-outputs outputs.json` reads it."""

import torch
from net import build, inputs
from polygraphy.comparator import RunResults
from polygraphy.json import save_json

feed = {name: value.numpy() for name, value in inputs().items()}
with torch.no_grad():
    boxes, scores = build()(**inputs())
results = RunResults()
results.add([{"boxes": boxes.numpy(), "scores": scores.numpy()}], runner_name="torch")
save_json([feed], "inputs.json")
results.save("outputs.json")
