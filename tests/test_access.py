"""Names and passwords: the file, the check, and that every route needs one."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from qa import cli
from qa.api.access import Hash, Passwords, add_user
from qa.api.serving import Serving
from qa.errors import InputError
from qa.ui import start
from scripted import ScriptedAssistant
from serving import TIMEOUT_S, opened, served

SECRET = "très secret : 12"


@pytest.fixture(scope="module")
def auth_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("auth") / "users"
    add_user(path, "marie", SECRET)
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory, auth_file):
    serving = Serving.of("127.0.0.1", auth_file=auth_file, mcp=True)
    with opened(tmp_path_factory.mktemp("api")) as assistant, served(assistant, serving) as one:
        yield one


def test_the_file_is_its_owners_alone_and_holds_no_password(auth_file):
    assert stat.S_IMODE(auth_file.stat().st_mode) == 0o600
    text = auth_file.read_text(encoding="utf-8")
    assert text.startswith("marie:scrypt$16384$8$5$")
    assert SECRET not in text


def test_a_name_and_its_password_are_accepted_and_nothing_else(auth_file):
    passwords = Passwords.read(auth_file)
    assert not passwords.is_checked("marie", SECRET)
    for name, password in [("marie", ""), ("marie", SECRET + " "), ("paul", SECRET), ("", "")]:
        assert not passwords.accepts(name, password)
        assert not passwords.is_checked(name, password)
    assert passwords.accepts("marie", SECRET)
    assert passwords.is_checked("marie", SECRET)
    assert not passwords.is_checked("marie", SECRET + "x")


def test_the_same_password_is_hashed_with_another_salt_each_time():
    one, other = Hash.of(SECRET), Hash.of(SECRET)
    assert str(one) != str(other)
    assert Hash.parse(str(one)).fits(SECRET)


def test_a_new_password_takes_the_old_ones_place_and_others_stay(tmp_path):
    path = tmp_path / "users"
    add_user(path, "marie", SECRET)
    add_user(path, "paul", "le mot de paul")
    add_user(path, "marie", "un nouveau mot")
    passwords = Passwords.read(path)
    assert not passwords.accepts("marie", SECRET)
    assert passwords.accepts("marie", "un nouveau mot")
    assert passwords.accepts("paul", "le mot de paul")


def test_adding_someone_keeps_the_other_lines(tmp_path):
    path = tmp_path / "users"
    add_user(path, "marie", SECRET)
    (marie,) = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"# the team\n{marie}\n\n#left:{marie}\n", encoding="utf-8")
    add_user(path, "paul", SECRET)
    add_user(path, "marie", "un nouveau mot")
    before, changed, *after, added = path.read_text(encoding="utf-8").splitlines()
    assert (before, after) == ("# the team", ["", f"#left:{marie}"])
    assert changed.startswith("marie:")
    assert changed != marie
    assert added.startswith("paul:")


@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX files")
def test_who_may_read_the_file_stays_when_someone_is_added(tmp_path):
    path = tmp_path / "users"
    add_user(path, "marie", SECRET)
    path.chmod(0o640)
    add_user(path, "paul", SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="the owners of POSIX files")
def test_a_file_whose_owner_would_change_stays_as_it_is(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "users"
    add_user(path, "marie", SECRET)
    before = path.read_bytes()
    monkeypatch.setattr("os.chown", refused)
    with pytest.raises(InputError, match=f"belongs to user {path.owner()} .*run the command as"):
        add_user(path, "paul", SECRET)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", "a:b", "#a", "a b", "a\nb", "a\x00"])
def test_a_name_that_the_file_cannot_hold_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="name"):
        add_user(tmp_path / "users", name, SECRET)
    assert not (tmp_path / "users").exists()


def test_a_short_password_is_refused(tmp_path):
    with pytest.raises(InputError, match="8 characters"):
        add_user(tmp_path / "users", "marie", "court")


@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX files")
def test_a_file_that_every_user_may_read_is_refused(tmp_path):
    path = tmp_path / "users"
    add_user(path, "marie", SECRET)
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        Passwords.read(path)
    path.chmod(0o640)
    assert Passwords.read(path).accepts("marie", SECRET)


@pytest.mark.parametrize(
    "line",
    [
        "marie",
        "marie:secret",
        "marie:scrypt$16384$8$5$c2Vs$",
        "marie:scrypt$16385$8$5$c2Vs$a2V5",
        "marie:scrypt$1073741824$8$5$c2Vs$a2V5",
        "marie:scrypt$16384$8$5$é$a2V5",
        "marie:bcrypt$16384$8$5$c2Vs$a2V5",
        "marie:scrypt$0$0$0$c2Vs$a2V5",
    ],
)
def test_a_line_that_is_no_hash_is_named_by_its_number(tmp_path, line):
    path = tmp_path / "users"
    path.write_text(f"# names\n\n{line}\n", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InputError, match="line 3") as caught:
        Passwords.read(path)
    assert "--add-user" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "# nobody\n", b"\xff\xfe"])
def test_a_file_without_a_user_says_how_to_make_one(tmp_path, content):
    path = tmp_path / "users"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)
    with pytest.raises(InputError, match="auth file"):
        Passwords.read(path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/documents"),
        ("GET", "/api/docs"),
        ("GET", "/api/openapi.json"),
        ("POST", "/api/ask"),
        ("POST", "/api/stream"),
        ("POST", "/mcp"),
        ("GET", "/mcp"),
        ("GET", "/nothing"),
    ],
)
def test_every_route_needs_a_password(client, method, path):
    response = client.request(method, path)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Basic")
    assert "password" in response.json()["error"]


@pytest.mark.parametrize("auth", [("marie", "wrong wrong"), ("paul", "wrong wrong")])
def test_a_wrong_password_is_refused(client, auth):
    assert client.get("/api/documents", auth=auth).status_code == 401


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic bWFyaWU=", "Bearer bWFyaWU6"])
def test_a_header_that_is_no_name_and_password_is_refused(client, header):
    response = client.get("/api/documents", headers={"Authorization": header})
    assert response.status_code == 401


def test_with_the_password_the_question_is_answered_under_any_host_name(client):
    auth = (b"marie", SECRET.encode())
    for host in ("127.0.0.1", "docs.example.org"):
        response = client.post(
            "/api/ask", json={"question": "Bonjour"}, auth=auth, headers={"Host": host}
        )
        assert response.json()["kind"] == "small talk"
    refused = client.get("/api/documents", auth=auth, headers={"Origin": "http://evil.example.org"})
    assert refused.status_code == 403


def test_the_page_and_gradios_own_routes_need_the_password_too(auth_file):
    import httpx

    said: list[str] = []
    assistant = ScriptedAssistant({"a.txt": "Il pleut."}, None)
    page = start(assistant, port=0, auth_file=auth_file, announce=said.append)
    page.run_in_thread()
    try:
        with httpx.Client(base_url=page.url, timeout=TIMEOUT_S, trust_env=False) as client:
            for path in ("/", "/config", "/gradio_api/info", "/gradio_api/queue/join", "/assets/x"):
                assert client.get(path).status_code == 401
            inside = client.get("/", auth=(b"marie", SECRET.encode()))
            assert inside.status_code == 200
    finally:
        page.close()
    assert len(said) == 1


def test_adding_a_user_on_the_command_line_makes_the_file(tmp_path, monkeypatch, capsys):
    import io

    path = tmp_path / "users"
    monkeypatch.setattr("sys.stdin", io.StringIO(SECRET + "\n"))
    assert cli.main(["serve", "--auth-file", str(path), "--add-user", "marie"]) == 0
    assert Passwords.read(path).accepts("marie", SECRET)
    assert SECRET not in capsys.readouterr().err


def test_a_password_mistyped_the_second_time_changes_nothing(tmp_path, monkeypatch, capsys):
    path = tmp_path / "users"
    typed = iter([SECRET, "autre chose"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert cli.main(["serve", "--auth-file", str(path), "--add-user", "marie"]) == 2
    assert "differ" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--add-user", "marie"], "--auth-file"),
        (["--auth-file", "not-there"], "--add-user"),
        (["--root-path", "docs"], "slash"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(
    tmp_path, monkeypatch, capsys, arguments, says
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qa.assistant.Assistant.open", lambda *_, **__: pytest.fail("opened"))
    assert cli.main(["serve", *arguments]) == 2
    assert says in capsys.readouterr().err
