"""A secret in the wrong place of the file: the complaint says where, and not what."""

from __future__ import annotations

import pytest

from eni_failover.config import load
from eni_failover.errors import ConfigError
from tests.pair_file import GROUP, MEMBERS

SECRET = "never-to-be-shown"
START = f"""\
{GROUP}{MEMBERS}[[probe]]
name = "web"
type = "http"
"""
URL = 'url = "http://{address}/"\n'

HIDDEN = {
    "a password in a URL": f'url = "http://user:{SECRET}@{{address}}/"',
    "a user alone in a URL": f'url = "http://{SECRET}@{{address}}/"',
    "a query in a URL that is none": f'url = "gopher://{{address}}/?token={SECRET}"',
    "a URL with a blank": f'url = "http://{{address}}/?token={SECRET} "',
    "a URL with a bad port": f'url = "http://{{address}}:99999/?token={SECRET}"',
    "headers as text": URL + f'headers = "Authorization: Bearer {SECRET}"',
    "headers as a list": URL + f'headers = ["Authorization: Bearer {SECRET}"]',
    "a header as a list": URL + f'headers = {{ Authorization = ["{SECRET}"] }}',
    "a header with a line end": URL + f'headers = {{ Authorization = "{SECRET}\\n" }}',
    "a header with a placeholder": URL + f'headers = {{ Authorization = "{SECRET} {{x}}" }}',
    "a key that is none": URL + f'bearer_token = "{SECRET}"',
    "a key that is far from any": URL + f'password = "{SECRET}"',
    "a table that is none": URL + f'[probe.auth]\npassword = "{SECRET}"',
    "a text that does not end": URL + f'headers = {{ Authorization = "{SECRET}',
    "two keys of a name": URL + f'method = "GET"\nmethod = "{SECRET}"',
}
SHOWN = {
    "the token instead of its file": URL + f'bearer_token_file = "{SECRET}"',
    "a header's value in its name": URL + f'headers = {{ "Authorization: Bearer {SECRET}" = "" }}',
    "a header's value in the name of a number": URL + f'headers = {{ "Authorization: Bearer {SECRET}" = 1 }}',
}


def problems_of(tmp_path, probe: str) -> tuple[str, ...]:
    path = tmp_path / "orders.toml"
    path.write_text(START + probe)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return caught.value.problems


@pytest.mark.parametrize("name", HIDDEN)
def test_a_complaint_does_not_show_the_value(tmp_path, name):
    """The line and the key are there; the secret is not."""
    problems = problems_of(tmp_path, HIDDEN[name])

    assert problems
    assert SECRET not in "".join(problems)


@pytest.mark.parametrize("name", SHOWN)
def test_a_complaint_does_not_show_a_misplaced_token(tmp_path, name):
    """The likeliest mistake of all: the token itself where its file's path belongs."""
    problems = problems_of(tmp_path, SHOWN[name])

    assert problems
    assert SECRET not in "".join(problems)
