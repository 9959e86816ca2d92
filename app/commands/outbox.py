"""``paperwatch outbox …``: what mail waits, went out or failed, and what an operator can do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from db.records import Queued
    from db.session import Session
    from jobs.service import Service

app = typer.Typer(help="Mail: what waits, went out or failed; retry, cancel, test.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[NUMBER]…", help="As `outbox list` shows them.")
]
STATES = ("queued", "sending", "sent", "failed", "suppressed", "cancelled", "empty")


@app.command("list")
def list_(
    state: Annotated[list[str], typer.Option(help=f"Only these: {', '.join(STATES)}.")] = [],  # noqa: B006
    email: Annotated[str, typer.Option(help="Only mail to this address.")] = "",
    newest: Annotated[int, typer.Option(min=1, help="Only the newest so many.")] = 50,
    json: Json = False,
) -> None:
    """List mails, newest first, with their states; and whether mail is paused."""
    import json as encoder

    from app import build
    from app.failures import CommandError
    from db import alert_store, subscriber_store
    from jobs import deliver

    _check_states(state)
    service = build.service()
    stands = deliver.state(service)
    with service.database.reading() as session:
        person = subscriber_store.by_email(session, email)
        if email and person is None:
            raise CommandError(f"nobody here has the address {email!r}")
        number = person.id if person else None
        found = alert_store.outbox(session, subscriber_id=number, states=state, at_most=newest)
        mails = [_as_object(session, mail) for mail in found]
    relay = stands.relay
    paused = relay.holds(build.now())
    if json:
        told = {
            "paused_until": _moment(relay.resume_at) if paused else None, "faults": relay.faults,
            "error": relay.error, "states": stands.states, "mails": mails,
        }  # fmt: skip
        typer.echo(encoder.dumps(told, ensure_ascii=False, indent=2))
        return
    if paused:
        typer.echo(f"paused until {_moment(relay.resume_at)} after {relay.faults} faults: {relay.error}")
        typer.echo(
            "  `paperwatch outbox test ADDRESS` tries the way out; `paperwatch outbox retry` ends the pause"
        )
    elif relay.faults:
        typer.echo(f"the last {relay.faults} attempts failed at the mail server: {relay.error}")
    typer.echo(", ".join(f"{number} {word}" for word, number in stands.states.items()) or "no mail yet")
    for o in mails:
        typer.echo(_line(o))


def _line(o: dict[str, Any]) -> str:
    papers = f", {o['papers']} papers" if o["kind"] == "digest" else ""
    line = f"{o['id']:>6}  {o['state']:<10} {o['queued_at']}  {o['to'] or '-'}  {o['kind']}{papers}"
    if o["state"] == "queued" and o["attempts"]:
        line += f", tried {o['attempts']}×, next at {o['next_attempt_at']}"
    return f"{line}\n        {o['error']}" if o["error"] else line


@app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="As `outbox list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Print the mail's very bytes.")] = False,
) -> None:
    """Show one mail as it would go out now: its headers and its text, or its bytes."""
    import sys

    from app import build
    from app.failures import CommandError
    from db import alert_store
    from jobs import compose

    service = build.service()
    with service.database.reading() as session:
        queued = alert_store.mail(session, number)
        if queued is None:
            raise CommandError(f"no mail {number}; `paperwatch outbox list` shows them")
        letter = compose.letter(service, session, queued, build.now())
        line = _line(_as_object(session, queued))
    if isinstance(letter, compose.Withheld):
        raise CommandError(f"mail {number} is {queued.state} and would be withheld: {letter.why}")
    if raw:
        sys.stdout.buffer.write(letter.content)
        return
    typer.echo(line.strip(), err=True)
    typer.echo(_as_text(letter.content, headers=True))


@app.command()
def retry(
    numbers: Numbers = None,
    state: Annotated[str, typer.Option(help="All mails in this state, such as failed.")] = "",
) -> None:
    """Make mails due at once, and end a pause; without NUMBER or --state, it only ends the pause."""
    from app import build
    from db import alert_store, relay_store
    from jobs import deliver

    _check_states([state] if state else [])
    service = build.service()
    with service.database.writing() as session:
        wanted = [*(numbers or ()), *(alert_store.in_state(session, state) if state else ())]
        done = alert_store.retry(session, wanted, build.now(), lease_seconds=deliver.LEASE_SECONDS)
        if relay_store.relay(session).pauses:
            relay_store.keep(session, relay_store.Relay())
            typer.echo("the pause is over")
    _told(service, wanted, done, "due now")


@app.command()
def cancel(
    numbers: Numbers = None,
    state: Annotated[str, typer.Option(help="All mails in this state, such as queued.")] = "",
) -> None:
    """Never send these mails. What was in them stays on the readers' pages and in their feeds."""
    from app import build
    from app.failures import CommandError
    from db import alert_store

    _check_states([state] if state else [])
    if not numbers and not state:
        raise CommandError("say which: numbers, or --state queued", status=2)
    service = build.service()
    with service.database.writing() as session:
        wanted = [*(numbers or ()), *(alert_store.in_state(session, state) if state else ())]
        done = alert_store.cancel(session, wanted)
    _told(service, wanted, done, "cancelled")


@app.command()
def test(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the test mail goes.")],
) -> None:
    """Send a test mail by the way that all mail goes, and print what became of it."""
    from app import build
    from app.failures import CommandError
    from jobs import deliver
    from jobs.alerts.mime import MailError

    service = build.service()
    try:
        outcome = deliver.send_test(service, address, build.now())
    except MailError as exc:
        raise CommandError(str(exc), status=2) from exc
    if outcome.state != "sent":
        again = "a mail of this kind would be tried again" if outcome.state == "retry" else "final"
        raise CommandError(f"not sent to {address} ({again}): {outcome.text}")
    typer.echo(f"sent to {address}: {outcome.code} {outcome.text}")


@app.command()
def preview(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="Number, name, or address/name.")],
) -> None:
    """Show the text of a profile's next digest as it stands now. Nothing is stored."""
    from app import build
    from app.failures import CommandError
    from db import subscriber_store
    from jobs import deliver
    from jobs.alerts import mail

    service = build.service()
    now = build.now()
    with service.database.reading() as session:
        found = subscriber_store.profile_named(session, profile)
        digest = deliver.next_digest(service, session, found, now)
    if digest is None or not digest.to:
        raise CommandError(f"{found.name!r} is read as a feed: no mail is planned")
    due = found.delivery.next_slot(now)
    when = f"{due:%a %d %b %Y %H:%M} ({found.delivery.zone})" if due else "when papers are announced"
    typer.echo(f"to {digest.to}, {when}", err=True)
    typer.echo(_as_text(mail.render(digest, service.links, service.sender), headers=False))


@app.command()
def dkim() -> None:
    """Print the DNS record that belongs to the key which signs mail, as a line of a zone file."""
    from app import build
    from app.failures import CommandError
    from app.settings import load

    signer = build.signer(load())
    if signer is None:
        raise CommandError(
            "mail is not signed: set PAPERWATCH_DKIM_KEY_FILE to an RSA key "
            "(`openssl genrsa -out dkim.pem 2048`) and PAPERWATCH_DKIM_SELECTOR to a name for it, such as pw1"
        )
    typer.echo(signer.zone_line())


@app.command()
def bounces(json: Json = False) -> None:
    """Read the delivery reports in PAPERWATCH_BOUNCES, and show the latest ones."""
    import json as encoder
    from dataclasses import asdict

    from app import build
    from app.failures import CommandError
    from app.settings import load
    from db import bounce_store
    from jobs import bounces as job

    settings = load()
    if settings.bounces is None:
        raise CommandError("PAPERWATCH_BOUNCES is not set; it names a Maildir or a folder of .eml files")
    service = build.service(settings)
    try:
        done = job.check(service, settings.bounces, build.now())
    except job.BounceError as exc:
        raise CommandError(str(exc)) from exc
    with service.database.reading() as session:
        latest = bounce_store.latest(session)
    if json:
        told = asdict(done) | {"latest": [asdict(b) | {"at": _moment(b.at)} for b in latest]}
        typer.echo(encoder.dumps(told, ensure_ascii=False, indent=2))
        return
    typer.echo(
        f"{done.hard} hard, {done.soft} soft, {done.other} other; {done.suppressed} addresses suppressed, "
        f"{done.left} unsubscribed"
    )
    for fault in done.faults:
        typer.echo(f"  not read: {fault}")
    for b in latest:
        typer.echo(f"  {_moment(b.at)}  {b.kind:<5} {b.email}  {b.why}")


@app.command()
def suppressed(json: Json = False) -> None:
    """List addresses that get no more mail since they refused it, the latest first."""
    import json as encoder

    from app import build
    from db import subscriber_store

    with build.service().database.reading() as session:
        found = subscriber_store.suppressed(session)
    if json:
        told = [
            {
                "email": p.email, "since": _moment(p.state_at), "why": p.state_note,
                "confirmed_at": _moment(p.confirmed_at), "asked_again_at": _moment(asked),
            }
            for p, asked in found
        ]  # fmt: skip
        typer.echo(encoder.dumps(told, ensure_ascii=False, indent=2))
        return
    for p, asked in found:
        again = f"\n        subscribed again {_moment(asked)}" if asked else ""
        typer.echo(f"{_moment(p.state_at)}  {p.email}  {p.state_note}{again}")
    if not found:
        typer.echo("no address is suppressed")


@app.command()
def lift(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `outbox suppressed` shows it.")],
) -> None:
    """Write to a suppressed address again: it gets its digests if it had agreed to mail, else a new link to
    confirm with."""
    from app import build
    from app.failures import CommandError
    from jobs import suppression

    service = build.service()
    try:
        state = suppression.lift(service, address, build.now())
    except suppression.NotSuppressedError as exc:
        raise CommandError(str(exc)) from exc
    told = "gets its digests again" if state == "confirmed" else "gets a link to confirm with"
    typer.echo(f"{address} is {state} and {told}")


def _as_object(session: Session, mail: Queued) -> dict[str, Any]:
    from db import subscriber_store

    person = subscriber_store.subscriber(session, mail.subscriber_id)
    sections = mail.content.get("sections", ())
    return {
        "id": mail.id, "state": mail.state, "kind": mail.kind, "to": person.email if person else "",
        "papers": sum(len(s["items"]) for s in sections), "message_id": mail.message_id,
        "queued_at": _moment(mail.queued_at), "sent_at": _moment(mail.sent_at), "attempts": mail.attempts,
        "next_attempt_at": _moment(mail.next_attempt_at), "leased_until": _moment(mail.leased_until),
        "error": mail.last_error,
    }  # fmt: skip


def _as_text(content: bytes, *, headers: bool) -> str:
    import email
    from email import policy

    message = email.message_from_bytes(content, policy=policy.default)
    body = message.get_body(("plain",))
    text = str(body.get_content()).replace("\r\n", "\n") if body is not None else ""
    files = "".join(f"\n[attached: {part.get_filename()}]" for part in message.iter_attachments())
    head = "".join(f"{name}: {value}\n" for name, value in message.items()) + "\n" if headers else ""
    return head + text + files


def _moment(at: datetime | None) -> str | None:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else None


def _check_states(states: list[str]) -> None:
    from app.failures import CommandError

    for state in states:
        if state not in STATES:
            raise CommandError(f"--state {state}: must be one of {', '.join(STATES)}", status=2)


def _told(service: Service, wanted: list[int], done: list[int], word: str) -> None:
    """Say what was done, and for every mail that it was not done to, why."""
    from app.failures import CommandError
    from db import alert_store

    if done:
        typer.echo(f"{word}: {', '.join(map(str, done))}")
    with service.database.reading() as session:
        left = [(n, alert_store.mail(session, n)) for n in sorted(set(wanted) - set(done))]
    reasons = [f"{n} is {mail.state}" if mail else f"there is no mail {n}" for n, mail in left]
    if reasons:
        raise CommandError("not changed: " + "; ".join(reasons))
