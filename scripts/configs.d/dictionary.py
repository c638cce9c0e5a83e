"""Prints what mmengine's own loader makes of each config that is named on standard input: `ok LITERAL` or `refused WHY`, a line each."""

import logging
import sys
import warnings

from mmengine.config import Config

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

for path in sys.stdin.read().splitlines():
    try:
        read = Config.fromfile(path, import_custom_modules=False).to_dict()
        print("ok", repr(read))
    except Exception as why:
        print("refused", f"{type(why).__name__}: {why}".replace("\n", " ")[:200])
