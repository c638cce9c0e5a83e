"""The inputs of all peers: no peer's numbers."""

from common import batch, fixture

fixture.write_cases(batch.folder())
