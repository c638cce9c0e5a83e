"""ultralytics 8.4."""

from common import v8

v8.run("ultralytics-8.4", lambda feats, scores, bins: dict(feats=feats, scores=scores, boxes=bins))
