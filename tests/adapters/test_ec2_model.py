"""The cut model has what the calls need and nothing else."""

import pytest
from botocore.session import Session

from eni_failover.adapters.ec2_model import Operation, trim_model


def test_only_the_operations_in_use_are_left():
    """Every operation of ours is one of EC2's, and no other stays in memory."""
    session = Session()
    trim_model(session)

    client = session.create_client(
        "ec2", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    names = set(client.meta.service_model.operation_names)
    shapes = client.meta.service_model.shape_names
    client.close()

    assert names == set(Operation)
    assert len(shapes) < 500


@pytest.fixture(scope="module")
def sessions() -> tuple[Session, Session]:
    """One with the whole model, one with the cut one."""
    full, cut = Session(), Session()
    trim_model(cut)
    return full, cut


@pytest.mark.parametrize("operation", list(Operation))
def test_each_operation_can_still_be_described_in_full(sessions, operation):
    """All shapes that a request or an answer can reach are there, however deep."""

    def everything(session: Session) -> set[str]:
        model = session.get_service_model("ec2").operation_model(operation)
        waiting, seen = [model.input_shape, model.output_shape], set()
        while waiting:
            shape = waiting.pop()
            if shape is None or shape.name in seen:
                continue
            seen.add(shape.name)
            waiting += getattr(shape, "members", {}).values()
            waiting += [getattr(shape, part, None) for part in ("member", "key", "value")]
        return seen

    full, cut = (everything(session) for session in sessions)

    assert full == cut
