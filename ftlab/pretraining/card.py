"""The model card: how a model was made, on what, how well it predicts, and how to make it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftlab import language, provenance
from ftlab.config import RunConfig
from ftlab.results import write_whole

if TYPE_CHECKING:
    from ftlab.hardware import Hardware


def write(
    recipe: str,
    out: Path,
    config: RunConfig,
    hardware: Hardware,
    facts: dict[str, Any],
    about: str,
    base: str = "",
    how_well: str = "",
) -> None:
    """Write README.md (for people) and training.json (recipe and log, for programs) beside the weights in `out`.

    `facts` holds loss (nats a predicted token on held-out text), updates, log, and what else is worth keeping.
    `how_well` is a section on how good the model is, where it is no language model.
    """
    rows = {**config.as_dict(), "updates": facts["updates"]}
    settings = "\n".join(f"| {field} | {value} |" for field, value in rows.items())
    command, machine = f"ftlab pretrain {recipe}", provenance.machine_name(hardware)
    write_whole(
        out / "README.md",
        f"""---
license: apache-2.0
language: en
{base}---

# {out.name}

{about}

{how_well or _predicts(facts["loss"])}

## How it was made

`{command}` on {machine}, {hardware.threads} threads, {hardware.dtype}.

| setting | value |
| --- | --- |
{settings}
""",
    )
    kept = {"config": config.as_dict(), "versions": provenance.versions(), **facts}
    write_whole(out / "training.json", json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _predicts(loss: float) -> str:
    return f"""## How well it predicts

On held-out reviews the loss is {loss:.3f} nats a predicted token: a perplexity of {language.perplexity(loss):.1f}."""
