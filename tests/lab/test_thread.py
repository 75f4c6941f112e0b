import threading

import pytest

from eni_failover.lab import LabThread


def test_nothing_is_left_behind(make_world):
    """After the with block the thread has ended and the endpoint is no longer there to ask for."""
    lab = LabThread(make_world())
    with lab:
        alive = [thread.name for thread in threading.enumerate()]

    assert "lab" in alive
    assert "lab" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(RuntimeError, match="not running"):
        _ = lab.ec2_url


def test_before_the_block_there_is_nothing(make_world):
    """A lab that was not entered has no endpoints."""
    with pytest.raises(RuntimeError, match="not running"):
        LabThread(make_world()).env()


def test_a_default_world():
    """Without a world it is the usual pair."""
    with LabThread() as lab:
        names = [instance.name for instance in lab.world.state.instances.values()]

    assert names == ["alpha", "beta"]


def test_an_error_in_the_block_comes_out_as_it_is(make_world):
    """An exception of the test is neither wrapped nor lost."""
    with pytest.raises(ZeroDivisionError), LabThread(make_world()):
        _ = 1 / 0
