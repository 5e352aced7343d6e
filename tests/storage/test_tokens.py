"""Tokens and the browsers that they let in: only hashes are kept, and what is revoked lets nobody in."""

import time

import pytest
from sqlalchemy import text

from automl_kd.core import UserError
from automl_kd.storage import SCOPES, Database, TokenStore


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Database(str(tmp_path / "automl-kd.db"))
    found = Database(request.getfixturevalue("postgres").url).served()
    for table in ("akd_tokens", "akd_sessions"):
        found.transact(lambda session, table=table: session.execute(text(f"DELETE FROM {table}")))
    return found


@pytest.fixture
def tokens(database):
    return TokenStore(database)


def test_a_secret_finds_its_token_and_no_part_of_it_does(tokens):
    secret = tokens.create("ci", "ann", "run", None)
    found = tokens.find(secret)
    assert (found.name, found.owner, found.scope, found.expires, found.valid) == ("ci", "ann", "run", None, True)
    for wrong in ("", secret[:-1], f"{secret} ", secret.upper(), "ci", "%", "' OR 1=1 --", "\x00", "ü"):
        assert tokens.find(wrong) is None


def test_secrets_differ_and_are_long(tokens):
    secrets = {tokens.create(f"t{number}", "ann", "read", None) for number in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) >= 43


def test_neither_secret_nor_cookie_nor_a_piece_of_them_lies_in_the_database(tmp_path):
    tokens = TokenStore(Database(str(tmp_path / "automl-kd.db")))
    secret = tokens.create("ci", "ann", "run", None)
    cookie = tokens.let_in(tokens.find(secret))
    assert tokens.browser(cookie).token.name == "ci"
    stored = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"ann" in stored
    for hidden in (secret, cookie):
        assert not any(hidden[at : at + 12].encode() in stored for at in range(len(hidden) - 12))


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_holds_those_before_it(tokens, scope):
    found = tokens.find(tokens.create("t", "ann", scope, None))
    assert [each for each in SCOPES if found.may(each)] == list(SCOPES[: SCOPES.index(scope) + 1])


@pytest.mark.parametrize(
    ("name", "owner", "scope", "said"),
    [
        ("", "ann", "run", "token name ''"),
        ("../x", "ann", "run", "write letters, digits"),
        ("a b", "ann", "run", "write letters, digits"),
        (65 * "a", "ann", "run", "at most 64"),
        ("ok", "a/b", "run", "owner 'a/b'"),
        ("ok", "ann\n", "run", "owner"),
        ("ok", "ann", "root", "unknown scope 'root'"),
    ],
)
def test_names_that_would_be_misread_are_refused(tokens, name, owner, scope, said):
    with pytest.raises(UserError, match=said):
        tokens.create(name, owner, scope, None)
    assert tokens.all() == []


def test_a_name_is_given_once(tokens):
    secret = tokens.create("ci", "ann", "run", None)
    with pytest.raises(UserError, match="is there already"):
        tokens.create("ci", "bob", "admin", None)
    tokens.revoke("ci")
    with pytest.raises(UserError, match="is there already"):
        tokens.create("ci", "bob", "admin", None)
    assert tokens.find(secret) is None


def test_a_token_and_its_browser_end_with_their_time(tokens):
    secret = tokens.create("brief", "ann", "run", 0.6)
    cookie = tokens.let_in(tokens.find(secret))
    assert tokens.lets_in("brief")
    time.sleep(0.7)
    assert (tokens.find(secret), tokens.browser(cookie), tokens.lets_in("brief")) == (None, None, False)
    (kept,) = tokens.all()
    assert not kept.valid


def test_revoking_ends_the_browsers_that_the_token_let_in_and_no_others(tokens):
    first, second = (tokens.find(tokens.create(name, "ann", "run", None)) for name in ("first", "second"))
    cookies = [tokens.let_in(first), tokens.let_in(first), tokens.let_in(second)]
    tokens.revoke("first")
    tokens.revoke("first")
    assert [tokens.browser(each) is None for each in cookies] == [True, True, False]
    assert (tokens.lets_in("first"), tokens.lets_in("second"), tokens.lets_in("none")) == (False, True, False)
    with pytest.raises(UserError, match="did you mean first"):
        tokens.revoke("frst")


def test_a_browser_that_signs_out_is_let_in_no_more(tokens):
    token = tokens.find(tokens.create("ci", "ann", "run", None))
    cookies = [tokens.let_in(token), tokens.let_in(token)]
    assert len({tokens.browser(each).csrf for each in cookies}) == 2
    tokens.send_away(cookies[0])
    assert [tokens.browser(each) is None for each in cookies] == [True, False]


def test_an_address_is_spent_once(tokens):
    token = tokens.find(tokens.create("ci", "ann", "run", None))
    assert [tokens.spend_address(token) for _ in range(3)] == [True, False, False]
    assert tokens.find(tokens.create("other", "ann", "run", None)).valid


def test_tokens_are_listed_with_those_that_ended(tokens):
    for name in ("a", "b"):
        tokens.create(name, "ann", "read", None)
    tokens.revoke("a")
    assert [(each.name, each.valid) for each in tokens.all()] == [("a", False), ("b", True)]


def test_the_command_makes_lists_and_revokes_them(inside, tmp_path):
    made = inside("token", "create", "ci", "--scope", "read", "--expires", "30d", "--json", cwd=tmp_path).document
    assert (made["name"], made["owner"], made["scope"]) == ("ci", "ci", "read")
    assert TokenStore(Database(str(tmp_path / "automl-kd.db"))).find(made["token"]).name == "ci"
    listed = inside("token", "list", cwd=tmp_path)
    assert made["token"] not in listed.out
    assert inside("token", "revoke", "ci", cwd=tmp_path).out == "token ci lets nobody in any more\n"
    (kept,) = inside("token", "list", "--json", cwd=tmp_path).document["tokens"]
    assert kept["state"] == "revoked"
    for words, said in [
        (("create", "x", "--scope", "root"), "unknown scope 'root'"),
        (("create", "x", "--expires", "soon"), "expires 'soon': write a duration"),
        (("create", "x", "--expires", "0s"), "must be above zero"),
        (("create", "ci"), "is there already"),
        (("revoke", "none"), "unknown token 'none'"),
    ]:
        ended = inside("token", *words, cwd=tmp_path)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert said in ended.err
    assert inside("token", "list", "--storage", "nothing.db", cwd=tmp_path).code == 2
