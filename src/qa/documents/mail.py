"""Mails (eml) → text: who, to whom, when and about what as lines, then the message.

Example: ``read_eml(data, "mail.eml", Limits()).title`` is the subject.
"""

from __future__ import annotations

import email
import email.policy
import re
from contextlib import suppress
from email.message import EmailMessage, MIMEPart

from qa.documents.blocks import to_text
from qa.documents.limits import Limits
from qa.documents.markup import parse_html, western
from qa.documents.reading import Reading
from qa.documents.signatures import kind_of, refuse_other_type
from qa.errors import InputError

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENVELOPE = re.compile(rb"\AFrom [^\r\n]{0,200}\r?\n")  # of a mail saved from a mailbox
_HEADER_LINE = re.compile(rb"^[!-9;-~]{1,80}:", re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_STUB = re.compile(  # what only points to the HTML: "Voir en ligne : https://…"
    r"https?:|www\.|\b(?:html|browser|navigateur|online|en ligne)\b", re.IGNORECASE
)
_LONGER = 3  # times that the HTML is longer than what only points to it
_WORDS = re.compile(r"\w+")
_HEAD = 4096
_MAX_PARTS = 1000


def read_eml(data: bytes, name: str, limits: Limits) -> Reading:
    """Read a mail: its text parts, or the HTML that they point to; attachments are named, not read.

    :raises InputError: it is not a mail, or damaged.
    """
    data = _ENVELOPE.sub(b"", data, count=1)
    if kind_of(data) or not _HEADER_LINE.match(data[:_HEAD].lstrip(b"\xef\xbb\xbf\r\n")):
        refuse_other_type(data, name, "a mail (eml)")
    try:
        message = email.message_from_bytes(_readable(data), policy=email.policy.default)
        text, notices = _written(message)
    except InputError as error:
        raise InputError(f"{name!r} {error}") from error
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
    ) as error:
        # The standard library's parser has these for mails that break the rules.
        raise InputError(
            f"{name!r} is damaged and cannot be read as a mail ({type(error).__name__}: {error})"
        ) from error
    return Reading(text, notices, _header(message, "Subject") or None)


def _readable(data: bytes) -> bytes:
    """Return a mail with its headers in UTF-8; some programs write them in Latin-1."""
    end = match.start() if (match := _HEADER_END.search(data)) else len(data)
    try:
        data[:end].decode()
    except UnicodeDecodeError:
        return data[:end].decode("cp1252", errors="replace").encode() + data[end:]
    return data


def _written(message: EmailMessage) -> tuple[str, tuple[str, ...]]:
    """Return the headers, the body and the names of the attachments, as text."""
    headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    body = message.get_body(preferencelist=("plain", "html"))
    names = []
    for number, part in enumerate(message.walk()):
        if number > _MAX_PARTS:
            raise InputError(f"has more than {_MAX_PARTS} parts; it is not read")
        if (name := _name(part)) and part is not body:
            names.append(name)
    parts = ["\n".join(headers), _text(message, body)]
    if names:
        parts.append(f"Attachments: {', '.join(names)}")
    notices = (f"attachments are not read: {', '.join(names)}",) if names else ()
    return "\n\n".join(filter(None, parts)), notices


def _text(part: MIMEPart, body: MIMEPart | None) -> str:
    """Return what a part says: all of its parts, once, of alternatives the first that is no stub.

    :param part: the mail, or a part of it.
    :param body: its first text, which is read even if it has a name.
    :return: the text without attachments, which stand between its parts.
    """
    kind = part.get_content_type()
    if kind in ("text/plain", "text/html"):
        return _body(part) if part is body or _name(part) is None else ""
    if part.get_content_maintype() != "multipart":
        return ""
    texts = [_text(one, body) for one in part.iter_parts()]
    if kind == "multipart/alternative":
        return _most_telling(texts)
    told: dict[str, str] = {}  # by its words: HTML beside its own text may be no alternative
    for text in texts:
        told.setdefault(" ".join(_WORDS.findall(text)) or text.strip(), text)
    return "\n\n".join(text for text in told.values() if text.strip())


def _most_telling(texts: list[str]) -> str:
    """Return the first text, unless it only points to another one, which is much longer."""
    told = ""
    for text in texts:
        longer = len(text.strip()) > _LONGER * len(told.strip())
        if longer and (not told or _STUB.search(told)):
            told = text
    return told


def _name(part: MIMEPart) -> str | None:
    """Return the name of an attachment; a mail inside a mail is one, named by its subject."""
    name = part.get_filename()
    if name is None and part.get_content_type() == "message/rfc822":
        inner = next(iter(part.iter_parts()), None)
        name = f"{(_header(inner, 'Subject') if inner else '') or 'mail'}.eml"
    if name is None and part.get_content_disposition() == "attachment":
        name = part.get_content_type()
    return " ".join(name.split()) if name else None


def _header(message: email.message.Message, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _body(part: MIMEPart) -> str:
    content = part.get_payload(decode=True)
    data = content if isinstance(content, bytes) else b""
    charset = _charset(part, data)
    if part.get_content_type() == "text/html":
        with suppress(InputError):  # there is nothing in it
            return to_text(parse_html(data, _known(charset)), whole=True)
        return ""
    try:
        text = data.decode(western(data, charset) or charset)
    except (UnicodeDecodeError, LookupError):
        text = data.decode("cp1252", errors="replace")
    if str(part.get_param("format", "")).lower() == "flowed":
        keeps = str(part.get_param("delsp", "")).lower() != "yes"
        text = _unbroken(text, " " if keeps else "")
    return text


def _charset(part: MIMEPart, data: bytes) -> str:
    """Return the encoding that a part names; many that say ASCII are in UTF-8."""
    charset = part.get_content_charset() or "utf-8"
    if charset in ("us-ascii", "ascii"):
        with suppress(UnicodeDecodeError):
            data.decode()
            return "utf-8"
    return charset


def _unbroken(text: str, glue: str) -> str:
    """Join a line that ends with a space and the next one, if they are quoted alike (RFC 3676).

    "-- " stands above a signature and is no such line.
    """
    lines: list[str] = []
    quote, flows = "", False
    for line in text.replace("\r\n", "\n").split("\n"):
        words = line.lstrip(">")
        marks, words = line[: len(line) - len(words)], words.removeprefix(" ")
        if flows and marks == quote and words.strip():
            lines[-1] = lines[-1][:-1] + glue + words
        else:
            lines.append(line)
        quote, flows = marks, words.endswith(" ") and words.strip() not in ("", "--")
    return "\n".join(lines)


def _known(charset: str) -> str | None:
    """Return the encoding, if Python has it; the page may know better."""
    try:
        "".encode(charset)
    except LookupError:
        return None
    return charset
