"""What `watch` writes of a training, and that the training is the same with it and without."""

import json
import tempfile
import unittest
from pathlib import Path

import torch
from torch import nn

from parity_port import watch


class Segments(nn.Module):
    """Five classes by pixel from colours and depth; a careless one drops the depth."""

    def __init__(self, careless=False):
        super().__init__()
        self.careless = careless
        self.backbone = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Conv2d(8, 5, 1)
        self.unused = nn.Linear(2, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, rgb, depth):
        return self.head(self.backbone(torch.cat([rgb, depth * 0 if self.careless else depth], 1)))


def train(path=None, model=None, steps=5, **options):
    torch.manual_seed(0)
    model = model or Segments()
    seen = watch(model, path, every=2, classes=5, ignore=-1, **options) if path else lambda **_: None
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(steps):
        rgb, depth, labels = torch.rand(2, 3, 6, 6), torch.rand(2, 1, 6, 6), torch.randint(-1, 5, (2, 6, 6))
        optimiser.zero_grad()
        scores = model(rgb, depth=depth)
        loss = nn.functional.cross_entropy(scores, labels, ignore_index=-1)
        loss.backward()
        optimiser.step()
        seen(labels=labels, confusion=torch.eye(5), loss=loss)
    if path:
        seen.close()
    return [value.detach().clone() for value in model.state_dict().values()]


class Queue:
    def __init__(self, queue_size, momentum):
        self.queue_size, self.momentum, self._hidden = queue_size, momentum, 1


class Watched(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "watch.jsonl"

    def lines(self):
        return [line for line in self.all_lines() if "attributes" not in line]

    def all_lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_the_training_is_the_same_to_the_bit(self):
        alone, watched = train(), train(self.path)
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True)))

    def test_what_modules_and_the_objects_they_keep_hold_is_written_by_path(self):
        model = Segments(careless=True)
        model.head.queue = Queue(8192, 0.99)
        train(self.path, model=model)
        told = {name: part for line in self.all_lines() for name, part in line.get("attributes", {}).items()}
        self.assertEqual(told["head.queue"], {"class": "Queue", "values": {"queue_size": 8192, "momentum": 0.99}})
        self.assertEqual((told[""]["class"], told[""]["values"]), ("Segments", {"careless": True}))
        self.assertEqual((told["backbone.0"]["class"], told["backbone.0"]["values"]["kernel_size"]), ("Conv2d", [3, 3]))
        self.assertEqual(told["backbone.3"]["values"]["p"], 0.2)

    def test_every_second_step_is_a_line_with_all_there_is_to_say(self):
        train(self.path)
        head, *lines = self.lines()
        self.assertEqual((head["parity_watch"], head["classes"], head["ignore"]), (1, 5, -1))
        self.assertEqual([line["step"] for line in lines], [0, 2, 4])
        for line in lines:
            self.assertEqual(set(line["grad_norm"]), {"backbone", "head", "unused"})
            self.assertIsNone(line["grad_norm"]["unused"])
            self.assertGreater(line["grad_norm"]["backbone"], 0)
            self.assertAlmostEqual(sum(line["predicted"].values()), 1)
            self.assertEqual((line["labels"]["min"], line["labels"]["max"]), (-1, 4))
            self.assertAlmostEqual(sum(line["labels"]["shares"].values()) + line["ignored"], 1)
            self.assertEqual(len(line["confusion"]), 5)
            self.assertIn("loss", line)
            self.assertNotIn("not_tried", line)
        inputs = lines[0]["inputs"]
        self.assertEqual(inputs["0"]["shape"], [2, 3, 6, 6])
        self.assertEqual((len(inputs["0"]["std"]), len(inputs["depth"]["std"])), (3, 1))
        self.assertNotIn("inputs", lines[1])

    def test_an_input_that_does_not_matter_moves_nothing(self):
        train(self.path)
        moves = self.lines()[1]["moves"]
        self.assertTrue(all(m > 0 for m in moves["0"] + moves["depth"]), moves)
        train(self.path, Segments(careless=True))
        moves = self.lines()[1]["moves"]
        self.assertTrue(all(m > 0 for m in moves["0"]), moves)
        self.assertEqual(moves["depth"], [0.0])

    def test_gradients_are_those_of_the_step_and_without_the_scale(self):
        class Scaler:
            def get_scale(self):
                return 4.0

        train(self.path, steps=1)
        plain = self.lines()[1]["grad_norm"]["head"]
        train(self.path, steps=1, scaler=Scaler())
        self.assertAlmostEqual(self.lines()[1]["grad_norm"]["head"], plain / 4)

    def test_validation_between_steps_is_no_step(self):
        torch.manual_seed(0)
        model = Segments()
        seen = watch(model, self.path, every=1, classes=5)
        for _ in range(2):
            model.train()
            model(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4)).sum().backward()
            model.eval()
            model(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4))
        seen.close()
        self.assertEqual([line["step"] for line in self.lines()[1:]], [0, 1])

    def test_what_cannot_be_tried_is_said_and_the_training_goes_on(self):
        model = nn.Sequential(nn.Conv2d(20, 2, 1))
        seen = watch(model, self.path, every=1)
        model(torch.rand(1, 20, 4, 4)).sum().backward()
        seen.close()
        self.assertIn("more than 16 channels", self.lines()[1]["not_tried"]["moves"])


if __name__ == "__main__":
    unittest.main()
