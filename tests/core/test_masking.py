"""Secrets never get through, whatever form they are written in; ordinary words do."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devloop.core.masking import Masker, secret_like, secrets_of_args, secrets_of_file, without_url_secrets

SECRET_NAMES = """NPM_TOKEN token npmToken GITHUB_PAT DB_PASSWORD PASSWD ApiKey API_KEY APIKEY AWS_SECRET_ACCESS_KEY
BASIC_AUTH _authToken CREDENTIALS SSH_PRIVATE_KEY DB_PASS DB_PWD"""
OTHER_NAMES = "VERSION AUTHOR MONKEY PATH PWD COMPASS KEYBOARD NODE_ENV PATTERN PASSENGER"


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_that_look_like_a_secret(name: str) -> None:
    assert secret_like(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_names_that_do_not(name: str) -> None:
    assert not secret_like(name)


SECRET = 'p@ss "w/ord"+1'


@pytest.mark.parametrize(
    "form",
    [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode(), 'p@ss \\"w/ord\\"+1'],
    ids=["plain", "url", "base64", "quoted"],
)
def test_a_secret_is_hidden_in_every_form(form: str) -> None:
    assert Masker([SECRET]).mask(f"RUN curl {form} now") == "RUN curl *** now"


def test_a_longer_secret_that_begins_with_another_leaves_nothing_behind() -> None:
    assert Masker(["secret-one", "secret-one-and-two"]).mask("x secret-one-and-two y") == "x *** y"


def test_the_lines_of_a_secret_are_hidden_one_by_one() -> None:
    assert Masker(["first-line-of-key\nsecond-line-of-key"]).mask("got second-line-of-key") == "got ***"


def test_a_short_secret_is_hidden_as_a_word_only() -> None:
    assert Masker(["pass"]).mask("pass compass :pass@") == "*** compass :***@"


@pytest.mark.parametrize("value", ["", "a", "1", "true", "False", "none"])
def test_values_that_say_nothing_stay(value: str) -> None:
    assert Masker([value]).mask("it is true that False none a 1") == "it is true that False none a 1"


def test_without_secrets_nothing_changes() -> None:
    assert Masker().mask("anything") == "anything"


def test_arguments_give_secrets_by_name_and_by_the_password_of_a_url() -> None:
    args = [("NPM_TOKEN", "tok-123456"), ("VERSION", "1.2"), ("DB", "postgres://u:hunter22@db/x"), ("BAD", "http://[@")]
    assert set(secrets_of_args(args)) - {""} == {"tok-123456", "hunter22"}


def test_a_secret_file_gives_its_lines_and_the_values_of_secret_names() -> None:
    text = "registry=https://r.example/\n//r.example/:_authToken=npm_abcdef\n"
    masker = Masker(secrets_of_file(text))
    assert masker.mask("token npm_abcdef for https://r.example/") == "token *** for https://r.example/"
    assert masker.mask("cat: //r.example/:_authToken=npm_abcdef") == "cat: ***"


@given(st.text(st.characters(codec="utf-8"), min_size=8).filter(lambda s: len(s.strip()) >= 8), st.text(), st.text())
def test_no_long_secret_survives(secret: str, before: str, after: str) -> None:
    masked = Masker([secret]).mask(before + secret + after)
    if secret.strip().lower() not in {"disabled"}:
        assert secret.strip() not in masked.replace("***", "\0")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no postgresql://app:hunter2@db/shop here", "no postgresql://db/shop here"),
        ("https://u:p/w@host/x", "https://host/x"),
        ("https://u:p@ss@host/x", "https://host/x"),
        ("GET https://host/x?a=1&access_token=abc&b=2", "GET https://host/x?a=1&access_token=***&b=2"),
        ("/x?token=abc", "/x?token=***"),
        ("/x?sig=abc#end", "/x?sig=***#end"),
        ("http://127.0.0.1:5000/web@sha256:abc", "http://127.0.0.1:5000/web@sha256:abc"),
        ("https://host/x?page=2&author=jo", "https://host/x?page=2&author=jo"),
        ("is it you? token=abc", "is it you? token=abc"),
    ],
)
def test_what_urls_carry(text: str, shown: str) -> None:
    assert without_url_secrets(text) == shown
