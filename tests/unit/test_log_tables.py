"""The tables of log formats name their sources, and nothing that the taxonomy does not know."""

import pytest

from model.events import What
from model.log_tables import log_table, what_table
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy

NAMES = (
    "exim",
    "haraka",
    "kumomta",
    "mailgun",
    "opensmtpd",
    "postfix",
    "postmark",
    "powermta",
    "qmail",
    "sendgrid",
    "sendmail",
    "ses_notification",
    "sparkpost",
)
OF_CATEGORIES = ("category", "dropped", "classification")
TABLES = [(name, table) for name in NAMES for table in read_toml(data_file("logs", f"{name}.toml"))]


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_a_table_names_its_source(name: str, table: str) -> None:
    assert read_toml(data_file("logs", f"{name}.toml"))[table]["source"]
    assert "source" not in log_table(name, table)


@pytest.mark.parametrize(("name", "table"), [each for each in TABLES if each[1] in OF_CATEGORIES])
def test_categories_are_those_of_the_taxonomy(name: str, table: str) -> None:
    assert set() == set(log_table(name, table).values()) - set(taxonomy().by_id)


def test_an_outcome_is_read_as_such() -> None:
    assert What.FAILED is what_table("sparkpost")["bounce"]
