"""Prints the result of a scan as a table.  It is the JSON of scan_rounds.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyossl.cli.certificate_report import day, name_list
from pyossl.cli.certificate_status import ocsp_text, scts_text
from pyossl.cli.screen import Screen, Span, counted

_NAME, _BITS, _EXCHANGE = 33, 9, 19
_ANSWERS = {True: "yes", False: "no", None: "unknown"}


def show(report: dict[str, Any], screen: Screen) -> None:
    """Prints a scan's result."""
    handshakes = counted(report["handshakes"], "handshake")
    screen.title(
        f"Scan of {report['server']}",
        ", ".join(filter(None, (report["peer"], f"{handshakes} in {report['seconds']:.1f} s", report["openssl"]))),
    )
    screen.line()
    for found in report["versions"]:
        _show_version_line(found, screen)
    for found in report["versions"]:
        if found["accepted"]:
            _show_version(found, screen)
    if any(found["accepted"] for found in report["versions"]):
        _show_rest(report, screen)
    _show_missing(report["cannot_ask"], screen)


def version_text(found: dict[str, Any]) -> str:
    """What a scan found out about a version, in a few words."""
    if found["accepted"]:
        return ", ".join(filter(None, (counted(len(found["ciphers"]), "cipher suite"), found["weakness"])))
    return found["why"] if found["accepted"] is False else f"not asked: {found['why']}"


def _show_version_line(found: dict[str, Any], screen: Screen) -> None:
    text = f"{found['version']:<10}{version_text(found)}"
    if found["accepted"]:
        sign = Span(screen.glyphs.good, "green")
        screen.line("  ", sign, " ", Span(text, "yellow" if found["weakness"] else ""))
    else:
        screen.line("  ", Span(screen.glyphs.bad if found["accepted"] is False else "?", "dim"), " ", Span(text, "dim"))


def order_text(found: dict[str, Any]) -> str:
    """Whose order of cipher suites decides."""
    order = found["cipher_order"]
    return "" if order is None else f"the {order}'s order decides"


def _show_version(found: dict[str, Any], screen: Screen) -> None:
    screen.heading(found["version"], order_text(found))
    for cipher in found["ciphers"]:
        bits = f"{cipher['bits']} bits"
        row = f"  {cipher['name']:<{_NAME}}{bits:<{_BITS}}{cipher['key_exchange']:<{_EXCHANGE}}"
        screen.line(row, Span(cipher["weakness"], "yellow"))
    screen.line()
    screen.field("groups", algorithms_text(found["groups"]) or "none")
    if found["signature_algorithms"]:
        screen.field("signatures", algorithms_text(found["signature_algorithms"]))
    screen.field("client cert", client_certificate_text(found["client_certificate"]))
    screen.field("resumption", resumption_text(found["resumption"]))
    screen.field("extensions", ", ".join(found["extensions"]) or "none")


def algorithms_text(algorithms: Iterable[dict[str, str]]) -> str:
    """Groups or signature algorithms in one line, each with its weakness."""
    return ", ".join(
        f"{each['name']} ({each['weakness']})" if each["weakness"] else each["name"] for each in algorithms
    )


def client_certificate_text(report: dict[str, Any]) -> str:
    """Whether the server asks for a client certificate, in one line."""
    if not report["asked"]:
        return "not asked for"
    count = report["authority_count"]
    authorities = "1 authority" if count == 1 else f"{count} authorities" if count else "any authority"
    return f"{'required' if report['required'] else 'asked for, not required'}, of {authorities}"


def resumption_text(report: dict[str, Any]) -> str:
    """Which resumption the server offers, in one line."""
    ticket = _ANSWERS[report["ticket"]]
    if report["ticket_count"]:
        ticket += f", {counted(report['ticket_count'], 'ticket')} for {report['lifetime']} s"
    parts = [f"by ticket: {ticket}"]
    if "session_id" in report:
        parts.append(f"by session id: {_ANSWERS[report['session_id']]}")
    if report.get("early_data"):
        parts.append(f"early data: up to {report['early_data']} bytes")
    return "; ".join(parts)


def _show_rest(report: dict[str, Any], screen: Screen) -> None:
    screen.heading("Server")
    screen.field("ALPN", ", ".join(report["alpn"]) or "none")
    must = " (the certificate says that one is always stapled)" if report["must_staple"] else ""
    screen.field("OCSP", ocsp_text(report["ocsp"]) + must)
    screen.field("SCTs", scts_text(report["scts"]))
    for certificate in report["certificates"]:
        screen.field("certificate", certificate["subject"] or "(no subject)")
        screen.field("", f"for {name_list(certificate['names']) or 'no name'}")
        screen.field("", f"{certificate['key']}, {certificate['signature_algorithm']}")
        screen.field("", f"from {day(certificate['not_before'])} to {day(certificate['not_after'])}")


def _show_missing(missing: dict[str, list[str]], screen: Screen) -> None:
    screen.heading("Not asked for", "this OpenSSL cannot, or this scan does not")
    titles = {"versions": "versions", "ciphers": "ciphers", "groups": "groups", "signature_algorithms": "signatures"}
    for part, title in {**titles, "other": "other"}.items():
        if missing[part]:
            screen.field(title, (", " if part != "other" else "; ").join(missing[part]))
