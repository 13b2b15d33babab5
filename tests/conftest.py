"""What holds for every test."""

import os

# Models of the tests are tiny: a second thread costs more than it brings. Said before torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, settings

# The same examples in every run, and no judgement by the clock: a busy machine is no failure.
settings.register_profile(
    "limner", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("limner")
