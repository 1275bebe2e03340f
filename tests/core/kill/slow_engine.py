"""A fake engine that takes its time, so that there is something to interrupt."""

import random
import time

from tests.fakes import FakeEngine


class SlowEngine(FakeEngine):
    """Takes 20 to 200 ms a batch."""

    def analyse(self, *arguments, **options):
        time.sleep(random.uniform(0.02, 0.2))
        return super().analyse(*arguments, **options)
