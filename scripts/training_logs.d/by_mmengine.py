"""A toy classifier by epochs and by iterations, begun from a checkpoint that fits in part: mmengine's log, JSON lines and event file of each."""

import shutil
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.registry import METRICS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x, y, mode="loss"):
        scores = self.fc(x)
        if mode != "loss":
            return [(scores.argmax(1), y)]
        right = (scores.argmax(1) == y).float().mean() * 100
        return {"loss_cls": nn.functional.cross_entropy(scores, y), "loss_reg": 0.1 * scores.square().mean(), "acc": right}


@METRICS.register_module()
class Share(BaseMetric):
    default_prefix = "toy"

    def process(self, data_batch, data_samples) -> None:
        for found, truth in data_samples:
            self.results.append((int((found == truth).sum()), len(truth)))

    def compute_metrics(self, results) -> dict:
        return {"accuracy": sum(r[0] for r in results) / sum(r[1] for r in results)}


def run(name: str, train: dict) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    data = TensorDataset(x, (x @ torch.randn(4, 3)).argmax(1))
    torch.save({"state_dict": {"fc.weight": torch.randn(3, 4), "head.weight": torch.zeros(1)}}, "begin.pth")
    backends = [{"type": "LocalVisBackend"}, {"type": "TensorboardVisBackend"}]
    runner = Runner(
        Net(),
        name,
        train_dataloader=DataLoader(data, batch_size=8, shuffle=True),
        val_dataloader=DataLoader(data, batch_size=8),
        train_cfg=train,
        val_cfg={},
        val_evaluator={"type": "Share"},
        optim_wrapper={"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.1}, "clip_grad": {"max_norm": 35}},
        load_from="begin.pth",
        default_hooks={"logger": {"type": "LoggerHook", "interval": 4}},
        log_processor={"by_epoch": train["by_epoch"], "window_size": 4},
        visualizer={"type": "Visualizer", "vis_backends": backends},
        default_scope="mmengine",
        experiment_name=name,
    )
    runner.train()
    log = Path(runner.log_dir)
    shutil.copy(next(log.glob("*.log")), f"logs/{name}.log")
    shutil.copy(log / "vis_data/scalars.json", f"logs/{name}.json")
    shutil.copy(next(log.glob("vis_data/events*")), f"logs/{name}.tfevents")


Path("logs").mkdir()
run("epochs", {"by_epoch": True, "max_epochs": 3, "val_interval": 1})
run("iterations", {"by_epoch": False, "max_iters": 60, "val_interval": 20})
