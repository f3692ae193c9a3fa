"""Data files other than rules and knowledge are well formed and prove themselves."""

import pytest

from model.notice import mentions, remote, reporter, split_returned
from model.providers import providers
from model.reply import block_lists, unwrap
from model.resources import data_file, read_toml

LAYOUTS = read_toml(data_file("layouts.toml"))
WRAPPERS = read_toml(data_file("wrappers.toml"))["wrapper"]
BLOCK_LISTS = read_toml(data_file("blocklists.toml"))["block_list"]


@pytest.mark.parametrize("layout", LAYOUTS["recipient"], ids=lambda layout: layout["example"])
def test_a_recipient_line_names_its_recipient(layout: dict[str, str]) -> None:
    assert ["user@example.com"] == [mention.address for mention in mentions(layout["example"])]


@pytest.mark.parametrize("layout", LAYOUTS["not_failed"], ids=lambda layout: layout["example"])
def test_an_address_that_did_not_fail_is_no_recipient(layout: dict[str, str]) -> None:
    assert () == mentions(layout["example"])


@pytest.mark.parametrize("layout", LAYOUTS["reporter"], ids=lambda layout: layout["example"])
def test_a_label_names_the_server_that_reports(layout: dict[str, str]) -> None:
    assert ("mx.example.com", None) == (reporter(layout["example"]), remote(layout["example"]))


@pytest.mark.parametrize("layout", LAYOUTS["remote"], ids=lambda layout: layout["example"])
def test_a_label_names_the_server_that_refused(layout: dict[str, str]) -> None:
    assert ("mx.example.com", None) == (remote(layout["example"]), reporter(layout["example"]))


@pytest.mark.parametrize("layout", LAYOUTS["returned"], ids=lambda layout: layout["example"])
def test_a_marker_starts_the_returned_message(layout: dict[str, str]) -> None:
    notice = split_returned(f"It failed.\n{layout['example']}\nSubject: hello")

    assert ("It failed.", "Subject: hello") == (notice.text, notice.returned)


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda wrapper: wrapper["inner"])
def test_a_wrapper_gives_up_its_inner_reply(wrapper: dict[str, str]) -> None:
    unwrapped = unwrap(wrapper["example"])

    assert wrapper["inner"] == unwrapped.text[unwrapped.start : unwrapped.end]


@pytest.mark.parametrize("entry", BLOCK_LISTS, ids=lambda entry: entry["name"])
def test_a_block_list_is_named_first_in_its_example(entry: dict[str, str]) -> None:
    for example in entry["examples"]:
        assert entry["name"] == block_lists(example)[0]


def test_no_two_providers_claim_a_host() -> None:
    hosts = [host for provider in providers().by_id.values() for host in provider.hosts]

    assert sorted(set(hosts)) == sorted(hosts)


def test_every_provider_has_a_role() -> None:
    assert {"mailbox", "gateway", "program", "relay"} == {
        provider.role for provider in providers().by_id.values()
    }
