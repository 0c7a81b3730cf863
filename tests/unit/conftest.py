"""How hard Hypothesis searches, in one place; HYPOTHESIS_PROFILE=long searches on for new cases.

Tests say a number of their own only where one example costs far more, or far less, than usual.
"""

import os

from hypothesis import HealthCheck, settings

# A machine that is busy with something else is no failure of a test.
_PATIENT = (HealthCheck.too_slow,)

# The same examples at each run: what fails here fails everywhere, and nothing fails by chance.
settings.register_profile(
    "ci",
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=_PATIENT,
)
settings.register_profile("long", max_examples=2000, deadline=None, suppress_health_check=_PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
