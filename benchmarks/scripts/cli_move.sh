#!/bin/bash
# cli_move.sh poll|waiter ENI INSTANCE [COMMAND...]: moves the ENI by the AWS CLI; COMMAND configures the link.
set -eu
wait=$1 eni=$2 instance=$3
shift 3

look() {
    aws ec2 describe-network-interfaces --network-interface-ids "$eni" \
        --query "NetworkInterfaces[0].$1" --output text
}

attachment=$(look Attachment.AttachmentId)
aws ec2 detach-network-interface --attachment-id "$attachment"
if [ "$wait" = waiter ]; then
    aws ec2 wait network-interface-available --network-interface-ids "$eni"
else
    until [ "$(look Status)" = available ]; do sleep 1; done
fi
aws ec2 attach-network-interface --network-interface-id "$eni" --instance-id "$instance" --device-index 1
until [ "$(look Attachment.Status)" = attached ]; do sleep 1; done
if [ $# -gt 0 ]; then "$@"; fi
