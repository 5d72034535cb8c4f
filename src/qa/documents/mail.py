"""Mails (eml) → text: who, to whom, when and about what as lines, then the message.

Example: ``read_eml(data, "mail.eml", Limits()).title`` is the subject.
"""

from __future__ import annotations

import email
import email.policy
import re
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
# RFC 3676: a line that ends with a space goes on in the next one; "-- " is above a signature.
_FLOWING = re.compile(r"(?<!^--)(?<=\S) \r?\n(?=[^\s>])", re.MULTILINE)
_HEAD = 4096
_MAX_PARTS = 1000


def read_eml(data: bytes, name: str, limits: Limits) -> Reading:
    """Read a mail: its text part, else its HTML part; attachments are named, not read.

    :raises InputError: it is not a mail, or damaged.
    """
    data = _ENVELOPE.sub(b"", data, count=1)
    if kind_of(data) or not _HEADER_LINE.match(data[:_HEAD].lstrip(b"\xef\xbb\xbf\r\n")):
        refuse_other_type(data, name, "a mail (eml)")
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
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


def _written(message: EmailMessage) -> tuple[str, tuple[str, ...]]:
    """Return the headers, the body and the names of the attachments, as text."""
    headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    body, written = _main_part(message)
    parts = ["\n".join(headers), written]
    if message.get_content_type() == "multipart/mixed":  # text before and after an attachment
        parts += [
            _body(one)
            for one in message.iter_parts()
            if one is not body and _name(one) is None and one.get_content_type() == "text/plain"
        ]
    names = []
    for number, part in enumerate(message.walk()):
        if number > _MAX_PARTS:
            raise InputError(f"has more than {_MAX_PARTS} parts; it is not read")
        if (name := _name(part)) and part is not body:
            names.append(name)
    if names:
        parts.append(f"Attachments: {', '.join(names)}")
    notices = (f"attachments are not read: {', '.join(names)}",) if names else ()
    return "\n\n".join(filter(None, parts)), notices


def _main_part(message: EmailMessage) -> tuple[MIMEPart | None, str]:
    """Return the text part and what it says; the HTML part where that one is blank or missing."""
    for kind in ("plain", "html"):
        part = message.get_body(preferencelist=(kind,))
        if part is not None and (text := _body(part)).strip():
            return part, text
    return None, ""


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
    charset = part.get_content_charset() or "utf-8"
    if part.get_content_type() == "text/html":
        return to_text(parse_html(data, _known(charset)), whole=True) if data.strip() else ""
    try:
        text = data.decode(western(data, charset) or charset)
    except (UnicodeDecodeError, LookupError):
        text = data.decode("cp1252", errors="replace")
    if str(part.get_param("format", "")).lower() == "flowed":
        keeps = str(part.get_param("delsp", "")).lower() != "yes"
        text = _FLOWING.sub(" " if keeps else "", text)
    return text


def _known(charset: str) -> str | None:
    """Return the encoding, if Python has it; the page may know better."""
    try:
        "".encode(charset)
    except LookupError:
        return None
    return charset
