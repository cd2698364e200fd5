"""Finds out what a server has, by offers that become smaller and smaller.

A server does not list what it has: it picks one thing of each kind from the client's offer.  So the scan offers
everything, notes what the server picks, leaves that out of the next offer, and goes on until the server refuses.  The
number of handshakes is that of the things which the server has, and one more, however much this OpenSSL can offer.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from pyossl import Certificate, CipherSuite, Context, DecodeError, Error, Version, openssl_version
from pyossl.cli import code_points
from pyossl.cli.certificate_report import certificate_report
from pyossl.cli.certificate_status import must_staple, ocsp_report, scts_report
from pyossl.cli.client_connection import refusal
from pyossl.cli.code_points import GROUPS, PROTOCOLS, SIGNATURE_ALGORITHMS, Algorithm
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.cli.options import ask_for_certificate_status
from pyossl.cli.scan_probe import Answer, ScanError, Target, scan_context
from pyossl.cli.scan_suites import AskableSuites, key_exchange, weakness

_T = TypeVar("_T")

_VERSIONS = (Version.TLSv1_3, Version.TLSv1_2, Version.TLSv1_1, Version.TLSv1)
_MOST_AT_ONCE = 24
"""How many groups or signature algorithms one ClientHello offers: OpenSSL limits the length of its lists."""
_CURVES_OF_KEYS = {"prime256v1": 23, "secp384r1": 24, "secp521r1": 25}
_NEVER_ASKED = (
    "SSLv2 and SSLv3, which this scan has no messages for",
    "client certificates that a server asks for after the handshake",
    "whether a server accepts the early data that its tickets allow",
)

Progress = Callable[[str], None]


def picked_in_turn(candidates: Iterable[_T], ask: Callable[[list[_T]], _T | None], most: int = 1 << 16) -> Iterator[_T]:
    """What a server has of ``candidates``, in the order in which it picks.

    ``ask`` offers some of them, and returns the one that the server picks, or None.  Of more than ``most``, parts are
    offered one after the other.  It ends if the server picks something that was not offered.
    """
    every = list(candidates)
    for start in range(0, len(every), most):
        left = every[start : start + most]
        while left and (picked := ask(left)) is not None and picked in left:
            left.remove(picked)
            yield picked


class Scan:
    """A scan of one server.  ``run`` returns its result as JSON values.

    ``progress`` is called with what is being asked; ``protocols`` are further application protocols to ask for.
    """

    def __init__(self, target: Target, progress: Progress, protocols: Sequence[str] = ()) -> None:
        self._target = target
        self._progress = progress
        self._protocols = list(dict.fromkeys((*protocols, *PROTOCOLS)))
        self._suites = AskableSuites()
        self._groups = _askable(GROUPS, Context.set_groups)
        self._algorithms = _askable(SIGNATURE_ALGORITHMS, Context.set_sigalgs)
        self._certificates: dict[bytes, Certificate] = {}
        self._peer: str | None = None

    def run(self) -> dict[str, Any]:
        """Makes the handshakes."""
        begun = time.perf_counter()
        versions = [self._version(version) for version in _VERSIONS]
        if not self._target.has_answered:
            why = versions[0]["why"] or "it sends no message of TLS"
            raise ScanError(f"the server does not seem to speak TLS: {why}, at each ClientHello")
        newest = next((each for each, found in zip(_VERSIONS, versions, strict=True) if found["accepted"]), None)
        alpn, status = ([], {}) if newest is None else (self._alpn(newest), self._status(newest))
        host, port = self._target.address
        return {
            "server": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "peer": self._peer,
            "servername": self._target.name,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "openssl": openssl_version,
            "versions": versions,
            "alpn": alpn,
            "certificates": [certificate_report(each) for each in self._certificates.values()],
            "ocsp": status.get("ocsp"),
            "must_staple": status.get("must_staple", False),
            "scts": status.get("scts", []),
            "cannot_ask": self._cannot_ask(versions),
            "handshakes": self._target.handshakes,
            "seconds": round(time.perf_counter() - begun, 3),
        }

    def _cannot_ask(self, versions: list[dict[str, Any]]) -> dict[str, list[str]]:
        """What was in none of the ClientHellos: this OpenSSL does not have it, or the system's policy forbids it."""
        target = self._target
        groups, algorithms = target.offered_groups, target.offered_signature_algorithms
        if not any(found["accepted"] for found in versions):  # then the offers ended early
            groups, algorithms = groups | set(self._groups), algorithms | set(self._algorithms)
        return {
            "versions": [found["version"] for found in versions if found["accepted"] is None],
            "ciphers": self._suites.missing(target.offered_ciphers),
            "groups": [each.name for number, each in GROUPS.items() if number not in groups],
            "signature_algorithms": [each.name for n, each in SIGNATURE_ALGORITHMS.items() if n not in algorithms],
            "other": list(_NEVER_ASKED),
        }

    def _ask(self, version: Version, *, drain: bool = False, **offer: Any) -> Answer:
        """Makes a handshake of this version.  Without an offer of its own, it offers everything."""
        offer.setdefault("groups", _names(self._groups, _default_groups(self._groups)))
        try:
            context = scan_context(version, version, **offer)
        except (Error, ValueError) as error:
            return Answer(HandshakeFacts(), error)
        answer = self._target.ask(context, drain=drain)
        self._note(answer)
        return answer

    def _note(self, answer: Answer) -> None:
        self._peer = answer.peer or self._peer
        for der in answer.facts.certificates[:1]:
            if der not in self._certificates:
                try:
                    self._certificates[der] = Certificate.load(der)
                except DecodeError:
                    continue

    def _version(self, version: Version) -> dict[str, Any]:
        """Everything about one version."""
        name = code_points.version(version)
        self._progress(name)
        first = self._ask(version, **self._offered(version, self._suites.of(version)), drain=True)
        found: dict[str, Any] = {
            "version": name,
            "accepted": first.is_accepted if first.is_asked else None,
            "weakness": "deprecated by RFC 8996" if version < Version.TLSv1_2 else "",
            "why": "" if first.is_accepted else first.why,
        }
        if not first.is_accepted:
            return found
        ciphers = list(self._ciphers(version))
        found["ciphers"] = [cipher for _, cipher in ciphers]
        found["cipher_order"] = self._order(version, [suite for suite, _ in ciphers])
        found["groups"] = [_described(GROUPS, number) for number in self._groups_of(version, ciphers)]
        found["signature_algorithms"] = [
            _described(SIGNATURE_ALGORITHMS, number) for number in self._algorithms_of(version)
        ]
        found["client_certificate"] = _client_certificate(first)
        found["extensions"] = [code_points.extension(number) for number in dict.fromkeys(first.facts.server_extensions)]
        found["resumption"] = self._resumption(version)
        return found

    def _offered(self, version: Version, suites: list[CipherSuite]) -> dict[str, Any]:
        names = ":".join(suite.name for suite in suites)
        return {"ciphersuites": names} if version == Version.TLSv1_3 else {"ciphers": names}

    def _ciphers(self, version: Version) -> Iterator[tuple[CipherSuite, dict[str, Any]]]:
        """The cipher suites that the server has, in the order in which it picks, each with its description."""
        answers: dict[int, Answer] = {}

        def ask(left: list[CipherSuite]) -> CipherSuite | None:
            self._progress(f"{code_points.version(version)} cipher suites: {len(answers)} found")
            answer = self._ask(version, **self._offered(version, left))
            number = answer.facts.cipher
            if not answer.is_accepted or number is None:
                return None
            answers[number] = answer
            return self._suites.by_number.get(number)

        for suite in picked_in_turn(self._suites.of(version), ask):
            facts = answers[suite.number].facts
            exchange = None if facts.group is None else code_points.group(facts.group)
            if facts.dh_bits is not None:
                exchange = f"DH {facts.dh_bits} bits"
            yield (
                suite,
                {
                    "name": suite.name,
                    "standard_name": suite.standard_name,
                    "number": suite.number,
                    "bits": suite.bits,
                    "key_exchange": exchange or key_exchange(suite),
                    "weakness": weakness(suite, facts.dh_bits),
                },
            )

    def _order(self, version: Version, suites: list[CipherSuite]) -> str | None:
        """Whose order decides: ``server`` or ``client``; None if that cannot be found out."""
        if len(suites) < 2:
            return None
        answer = self._ask(version, **self._offered(version, suites[::-1]))
        if not answer.is_accepted:
            return None
        return "server" if answer.facts.cipher == suites[0].number else "client"

    def _groups_of(self, version: Version, ciphers: list[tuple[CipherSuite, dict[str, Any]]]) -> list[int]:
        offer: dict[str, Any] = {}
        if version != Version.TLSv1_3:
            ecdhe = [suite for suite, _ in ciphers if key_exchange(suite) in ("ECDHE", "ECDH")]
            if not ecdhe:
                return []
            offer = self._offered(version, ecdhe)
        found: list[int] = []
        kept: list[int] = []

        def ask(left: list[int]) -> int | None:
            self._progress(f"{code_points.version(version)} groups: {len(found)} found")
            answer = self._ask(version, groups=_names(self._groups, [*left, *kept]), **offer)
            return answer.facts.group if answer.is_accepted else None

        for group in picked_in_turn(self._groups, ask, _MOST_AT_ONCE):
            found.append(group)
        # Before TLS 1.3, a certificate with an EC key can be used only if the key's curve is offered too.
        if version != Version.TLSv1_3:
            kept += [number for number in self._curves_of_certificates() if number in found]
            others = [number for number in self._groups if number not in found]
            for group in picked_in_turn(others, ask, _MOST_AT_ONCE - len(kept)) if kept else ():
                found.append(group)
        return found

    def _curves_of_certificates(self) -> list[int]:
        """The numbers of the curves of the EC keys in the certificates that were seen."""
        curves = (certificate_report(each)["key"].partition(" ") for each in self._certificates.values())
        return sorted(
            {_CURVES_OF_KEYS[curve] for kind, _, curve in curves if kind == "EC" and curve in _CURVES_OF_KEYS}
        )

    def _algorithms_of(self, version: Version) -> list[int]:
        """The signature algorithms that the server signs with; none before TLS 1.2, which has no choice of them."""
        if version < Version.TLSv1_2:
            return []
        ephemeral = [suite for suite in self._suites.of(version) if key_exchange(suite) in ("ECDHE", "DHE")]
        offer = {} if version == Version.TLSv1_3 else self._offered(version, [*filter(_signs, ephemeral)])
        found: list[int] = []

        def ask(left: list[int]) -> int | None:
            self._progress(f"{code_points.version(version)} signature algorithms: {len(found)} found")
            names = _names(self._algorithms, left)
            answer = self._ask(version, signature_algorithms=names, **offer)
            return answer.facts.server_signature_algorithm if answer.is_accepted else None

        for algorithm in picked_in_turn(self._algorithms, ask, _MOST_AT_ONCE):
            found.append(algorithm)
        return found

    def _alpn(self, version: Version) -> list[str]:
        """The application protocols that the server selects."""
        found: list[str] = []

        def ask(left: list[str]) -> str | None:
            self._progress(f"application protocols: {len(found)} found")
            return self._ask(version, alpn=left).facts.alpn

        for protocol in picked_in_turn(self._protocols, ask):
            found.append(protocol)
        return found

    def _status(self, version: Version) -> dict[str, Any]:
        """The stapled OCSP response and the certificate timestamps."""
        self._progress("OCSP and certificate timestamps")
        context = scan_context(version, version, groups=_names(self._groups, _default_groups(self._groups)))
        ask_for_certificate_status(context)
        answer = self._target.ask(context)
        self._note(answer)
        leaf = next((self._certificates.get(der) for der in answer.facts.certificates[:1]), None)
        return {
            "ocsp": ocsp_report(answer.facts.ocsp_response or answer.ocsp_response, leaf),
            "scts": scts_report(answer.facts.scts, leaf),
            "must_staple": leaf is not None and must_staple(leaf),
        }

    def _resumption(self, version: Version) -> dict[str, Any]:
        """Whether the server resumes sessions, by a ticket and, before TLS 1.3, by a session id.

        A value is None if a full handshake fails, for example because the server wants a client certificate.
        """
        self._progress(f"{code_points.version(version)} resumption")
        first, resumed = self._resumed(version, without_tickets=False)
        found: dict[str, Any] = {
            "ticket": resumed if first.facts.tickets or resumed is None else False,
            "ticket_count": len(first.facts.tickets),
            "lifetime": max((ticket.lifetime for ticket in first.facts.tickets), default=None),
        }
        if version == Version.TLSv1_3:
            found["early_data"] = max((ticket.early_data for ticket in first.facts.tickets), default=0)
        else:
            found["session_id"] = self._resumed(version, without_tickets=True)[1]
        return found

    def _resumed(self, version: Version, *, without_tickets: bool) -> tuple[Answer, bool | None]:
        context = scan_context(
            version,
            version,
            groups=_names(self._groups, _default_groups(self._groups)),
            without_tickets=without_tickets,
        )
        first = self._target.ask(context, drain=True)
        if first.error is not None or refusal(first.later, first.facts) is not None:
            return first, None
        if first.session is None:
            return first, False
        return first, self._target.ask(context, session=first.session).is_resumed


def _askable(algorithms: dict[int, Algorithm], choose: Callable[[Context, str], None]) -> dict[int, Algorithm]:
    """The algorithms that this OpenSSL takes, in the same order.  ``choose`` sets one on a context."""
    context = Context.client(verify=False)

    def has(algorithm: Algorithm) -> bool:
        try:
            choose(context, algorithm.openssl)
        except (Error, ValueError):
            return False
        return True

    return {number: algorithm for number, algorithm in algorithms.items() if has(algorithm)}


def _names(algorithms: dict[int, Algorithm], numbers: Iterable[int]) -> str:
    return ":".join(algorithms[number].openssl for number in numbers)


def _default_groups(groups: dict[int, Algorithm]) -> list[int]:
    return list(groups)[:_MOST_AT_ONCE]


def _signs(suite: CipherSuite) -> bool:
    return "_anon_" not in suite.standard_name


def _described(algorithms: dict[int, Algorithm], number: int) -> dict[str, str]:
    return {"name": algorithms[number].name, "weakness": algorithms[number].weakness}


def _client_certificate(answer: Answer) -> dict[str, Any]:
    """Whether the server asks for a client certificate, and refuses a client without one."""
    request = answer.facts.certificate_request
    if request is None:
        return {"asked": False, "required": False, "authority_count": 0, "signature_algorithms": []}
    refused = answer.error or refusal(answer.later, answer.facts)
    return {
        "asked": True,
        "required": refused is not None,
        "authority_count": request.authority_count,
        "signature_algorithms": [code_points.signature_algorithm(number) for number in request.signature_algorithms],
    }
