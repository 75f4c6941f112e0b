"""How long the fuzzing looks: the same few hundred cases in every run, and many more in the slow one."""

from hypothesis import HealthCheck, settings

# derandomize: the cases depend on the test's code alone, so a failure is the same everywhere.
QUICK = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FEW = settings(QUICK, max_examples=80)
LONG = settings(QUICK, max_examples=1500)
