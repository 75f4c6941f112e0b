"""What the fake EC2 answers instead of a result.

Owns: the two exceptions of the lab and the wording of the EC2 errors it gives, each with the HTTP status
that EC2 uses for it. Must not know: state, wire formats, sockets. Does not guarantee: AWS's exact prose;
the codes are the contract, the texts follow public copies of AWS's own where one exists.

    LabError
      Ec2Error        EC2 answered with an error code
      NoAnswerError   no usable answer reached the caller; the call may have taken effect

Codes and classes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from typing import Final

HTTP_STATUS: Final = {
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "InternalError": 500,
    "InternalFailure": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
}
"""Statuses other than 400, by code."""


class LabError(Exception):
    """Base of what a call to the fake EC2 can raise."""


class Ec2Error(LabError):
    """EC2 refused the call.

    `code` is the AWS error code, `status` the HTTP status it travels with.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = HTTP_STATUS.get(code, 400) if status is None else status


class NoAnswerError(LabError):
    """The caller of an in-process call got no usable answer, as a scripted fault demanded.

    `executed` tells whether the call took effect all the same; a real caller cannot know that.
    """

    def __init__(self, kind: str, *, executed: bool) -> None:
        super().__init__(f"no answer ({kind})")
        self.kind = kind
        self.executed = executed


def malformed(kind: str, value: str) -> Ec2Error:
    """The id does not have the form of its kind; each kind has its own code."""
    code, noun = {
        "eni": ("InvalidNetworkInterfaceId.Malformed", "id"),
        "instance": ("InvalidInstanceID.Malformed", "id"),
        "attachment": ("InvalidNetworkInterfaceAttachmentId.Malformed", "attachment id"),
        "subnet": ("InvalidSubnetID.Malformed", "subnet id"),
    }[kind]
    return Ec2Error(code, f'Invalid {noun}: "{value}"')


def eni_not_found(eni_ids: list[str]) -> Ec2Error:
    """One or more ENI ids that do not exist."""
    listed = ", ".join(eni_ids)
    return Ec2Error(
        "InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{listed}' does not exist"
    )


def instance_not_found(instance_ids: list[str]) -> Ec2Error:
    """One or more instance ids that do not exist (any more)."""
    listed = ", ".join(instance_ids)
    noun = "ID" if len(instance_ids) == 1 else "IDs"
    verb = "does" if len(instance_ids) == 1 else "do"
    return Ec2Error("InvalidInstanceID.NotFound", f"The instance {noun} '{listed}' {verb} not exist")


def attachment_not_found(attachment_id: str) -> Ec2Error:
    """The attachment has ended, or never was: an id is never used again."""
    return Ec2Error("InvalidAttachmentID.NotFound", f"The attachment '{attachment_id}' does not exist.")


def unauthorized(action: str, principal: str) -> Ec2Error:
    """IAM denies the action to this principal."""
    return Ec2Error(
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. User: {principal} is not authorized to perform: "
        f"ec2:{action} because no identity-based policy allows the ec2:{action} action.",
    )


def unauthorized_resource(resource_id: str) -> Ec2Error:
    """The resource belongs to a service or an operator, whatever IAM allows."""
    return Ec2Error(
        "OperationNotPermitted",
        f"You do not have permission to access the specified resource '{resource_id}'.",
    )


def dry_run_passed() -> Ec2Error:
    """The answer of a permitted call made with DryRun."""
    return Ec2Error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")


def throttled() -> Ec2Error:
    """The account's token bucket for the action is empty."""
    return Ec2Error("RequestLimitExceeded", "Request limit exceeded.")
