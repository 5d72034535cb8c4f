"""Whose conversations a page lists: the machine's, a browser's elsewhere, a person's."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from test_chat_page import ask, assistant, box, log, settled
from test_conversations import show_talks, talks

from qa.api.access import add_user

pytestmark = pytest.mark.e2e

PASSWORD = "un mot de passe"


def elsewhere(address: str) -> dict[str, object]:
    """Return what makes a browser one of another machine: a proxy here hands its address on."""
    return {"extra_http_headers": {"X-Forwarded-For": address}}


def expect_listed(page: Page, *questions: str) -> None:
    page.reload()
    box(page).wait_for()
    show_talks(page)
    expect(talks(page).locator(".qa-talk bdi")).to_have_text(questions)


def test_two_browsers_of_this_machine_share_one_list(serve, visit) -> None:
    served = serve(assistant())
    one, other = visit(served), visit(served)
    ask(one, "Combien de soldats ?")
    settled(one)
    expect_listed(other, "Combien de soldats ?")


def test_browsers_elsewhere_each_have_their_own_list(serve, visit) -> None:
    served = serve(assistant())
    here = visit(served)
    one, other = visit(served, **elsewhere("192.0.2.1")), visit(served, **elsewhere("192.0.2.1"))
    for page, question in ((here, "Ici ?"), (one, "Un ?"), (other, "Deux ?")):
        ask(page, question)
        settled(page)
    for page, question in ((here, "Ici ?"), (one, "Un ?"), (other, "Deux ?")):
        expect_listed(page, question)
    cookies = one.context.cookies()
    assert [(cookie["httpOnly"], cookie["sameSite"]) for cookie in cookies] == [(True, "Lax")]
    assert here.context.cookies() == []


def test_an_address_that_was_given_shows_the_conversation_and_no_more(serve, visit) -> None:
    served = serve(assistant())
    one, other = visit(served, **elsewhere("192.0.2.1")), visit(served, **elsewhere("192.0.2.2"))
    ask(one, "Combien de soldats ?")
    settled(one)
    other.goto(one.url)
    settled(other)
    expect(log(other)).to_contain_text("Environ 2500 soldats")
    show_talks(other)
    expect(talks(other).locator(".qa-talk")).to_have_count(0)


def test_who_signed_in_has_a_list_of_their_own_in_every_browser(
    serve, visit, tmp_path: Path
) -> None:
    users = tmp_path / "users"
    for name in ("marie", "jean"):
        add_user(users, name, PASSWORD)
    served = serve(assistant(), auth_file=users)

    def sign_in(name: str) -> Page:
        return visit(served, http_credentials={"username": name, "password": PASSWORD})

    marie, jean, again = sign_in("marie"), sign_in("jean"), sign_in("marie")
    for page, question in ((marie, "Combien pour Marie ?"), (jean, "Combien pour Jean ?")):
        ask(page, question)
        settled(page)
    expect_listed(jean, "Combien pour Jean ?")
    for page in (marie, again):
        expect_listed(page, "Combien pour Marie ?")
