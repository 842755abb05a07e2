"""`mxheed trail`: what became of a message that was held or deferred.

Contract: reads the state file beside the daemon and changes nothing; a line for each recipient's
attempt or hold, oldest first. Failure: `StoreError` where nothing is known of the message.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from policyd.cli.history import Json, StateFile, UsedConfig, moment, past
from policyd.errors import StoreError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trail")(trail)


def trail(
    queue_id: Annotated[str, typer.Argument(metavar="QUEUE-ID", help="As the MTA names it.")],
    config: UsedConfig = None,
    state: StateFile = None,
    as_json: Json = False,
) -> None:
    """Show attempts, replies and holds of a message that was held or deferred."""
    memory = past(config, state)
    try:
        steps, ended = memory.trail(queue_id), memory.ended(queue_id)
    finally:
        memory.close()
    if not steps:
        raise StoreError(
            f"nothing is remembered of {queue_id}: it was never held or deferred, or left the queue"
            " longer ago than memory.trails"
        )
    if as_json:
        rows = [step._asdict() for step in steps]
        typer.echo(json.dumps({"queue_id": queue_id, "ended": ended, "steps": rows}, indent=2))
        return
    from policyd.web.spelling import legible

    for step in steps:
        words = [moment(step.time), step.event, step.recipient, step.receiver]
        why = " ".join(word for word in (step.rule or step.category, step.reply) if word)
        typer.echo(legible("  ".join([*words, why])))
    if ended is not None:
        typer.echo(f"{moment(ended)}  left the queue")
