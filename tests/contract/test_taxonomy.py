"""The taxonomy is whole: every category of the published table, with every name elsewhere."""

import pytest

from model.taxonomy import BY_CODE, taxonomy
from model.types import Permanence

PUBLISHED = """
recipient_unknown recipient_address_invalid recipient_domain_invalid mailbox_disabled recipient_moved
mailbox_full message_too_large attachment_blocked malware_detected content_rejected message_malformed
reputation_blocked sender_auth_failed sender_rejected outbound_restricted rate_limited greylisted
relay_denied client_auth_required internal_auth_failed recipient_restricted moderation_rejected
policy_rejected connection_failed dns_failure tls_failure routing_loop insufficient_resources system_error
message_expired suppressed delivery_delayed delivery_notice auto_reply complaint unknown
""".split()


def test_names_are_never_renamed_or_removed() -> None:
    assert set(PUBLISHED) <= set(taxonomy().names)


@pytest.mark.parametrize("name", taxonomy().names)
def test_a_category_has_a_valid_permanence(name: str) -> None:
    assert taxonomy()[name].permanence in {*Permanence, BY_CODE}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in {"delivery_notice", "complaint"}])
def test_a_failure_is_mapped_to_every_other_taxonomy(name: str) -> None:
    assert {"sisimai", "sparkpost", "ses", "kumomta"} == set(taxonomy()[name].mappings)


def test_severities_differ_where_a_message_must_choose() -> None:
    severities = [taxonomy()[name].severity for name in taxonomy().names]

    assert len(severities) == len(set(severities))
