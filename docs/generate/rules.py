"""The rules between keys in a sentence each, with the file in tests/configs that breaks it."""

from __future__ import annotations

RULES = (
    ("config_version_unknown", "The form of the file is one that this version reads."),
    ("group_missing", "The group has a name."),
    ("eni_ids_missing", "The group has an ENI or more."),
    ("eni_ids_twice", "Each ENI is listed once."),
    ("member_none", "Members are listed, or discovered."),
    ("member_and_discovery", "Not both."),
    ("member_only_one", "There are two members or more."),
    ("member_address_missing", "Each member has name, instance_id and address."),
    ("member_instance_id_twice", "No two members have one of them in common."),
    ("member_name_like_an_id", "A name does not look like the id of another instance."),
    ("probe_name_missing", "Each probe has a name."),
    ("probe_name_twice", "No two probes have the same."),
    ("probe_type_missing", "Each probe has a type."),
    ("tcp_port_missing", "A probe has the keys that its type requires."),
    ("probe_key_of_another_type", "It has no key of another type."),
    ("fast_interval_longer", "fast_interval is not longer than interval."),
    ("http_ca_file_without_verify", "ca_file goes with tls_verify = true."),
    ("http_tls_keys_without_tls", "The keys for TLS go with an https URL."),
    ("http_client_key_without_cert", "A client's key goes with its certificate."),
    ("http_bearer_and_authorization", "There is one source of the Authorization header."),
    ("peer_scope_self", "A peer probe asks the holder."),
    ("peer_port_zero", "A peer probe needs a port that the other members know."),
    ("down_when_missing", "Two holder probes or more: how many of them decide is written."),
    ("down_when_too_many", "No more of them than there are."),
    ("down_when_without_holder_probes", "Without holder probes there is nothing to count."),
    ("failback_without_self_probe", "An automatic failback needs a self probe."),
    ("move_interval_longer", "move_interval is not longer than observe_interval."),
    ("aws_read_timeout_long", "Neither part of an EC2 call may take more than a minute."),
    ("network_off_with_path_check", "Without link checks there is no path to check."),
    ("network_off_with_ipv6_router", "Nor is a router of use."),
    ("socket_is_role_file", "The socket and the role file are two files."),
    ("paths_are_the_state_directory", "Neither is where the state is kept."),
    ("paths_below_a_file", "Nothing is below one of the two."),
)
"""All of config/rules.py and config/probe_rules.py."""

WARNINGS = (
    ("good_odd_targets", 0, "An id of EC2 with a digit too few or too many."),
    ("good_odd_targets", 1, "A holder probe that does not ask the holder."),
    ("good_odd_targets", 5, "A witness that is a member."),
    ("good_odd_targets", 6, "A written host to listen on that is one member's own, or no member's."),
    ("good_documented", 1, "`<group>` in a path that is written."),
)
"""All of config/remarks.py: the file, which of its warnings, and what it is about."""
