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


@pytest.mark.parametrize("service", ["ec2", "sts", "sso", "sso-oidc", "signin"])
@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"])
def test_whom_the_daemon_asks_is_where_it_was(service, region):
    """EC2, and what the chain of credentials makes clients for: the same endpoint as with all the data."""
    full, cut = Session(), Session()
    trim_model(cut)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    clients = [session.create_client(service, region_name=region, **keys) for session in (full, cut)]
    seen = [(client.meta.endpoint_url, client.meta.partition) for client in clients]
    for client in clients:
        client.close()

    assert seen[0] == seen[1]


def test_the_next_session_reads_nothing():
    """A reload makes another client of the same data."""
    sessions = [Session(), Session()]
    for session in sessions:
        trim_model(session)

    one, other = (session.get_component("data_loader") for session in sessions)
    assert one is other


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
