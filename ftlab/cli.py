"""The command line: ftlab list | fetch | run | doctor | check | results | claims | pretrain | fill | write."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ftlab.errors import CourseError, unknown
from ftlab.recording import RECORDED, SEEDS

if TYPE_CHECKING:
    from rich.table import Table

VERBS = ("list", "fetch", "run", "doctor", "check", "results", "claims", "pretrain", "fill", "write")
COLUMNS = 4  # settings side by side in a table of results; more do not fit a page


class _Parser(argparse.ArgumentParser):
    """argparse, with usage errors in the same voice as all others."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_complain(f"{message}. See {self.prog} --help.", 2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code: 0, 1 after a CourseError, 2 after wrong usage."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments and not arguments[0].startswith("-") and arguments[0] not in VERBS:
            raise unknown("verb", arguments[0], list(VERBS))
        options = _parser().parse_args(arguments)
        return int(options.do(options) or 0)
    except CourseError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("Stopped. What was finished is kept; the same command goes on from there.", 130)


def _complain(message: str, code: int) -> int:
    if os.environ.get("RANK", "0") == "0":
        print(f"ftlab: {message}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ftlab", description="The experiments of the course.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    add = verbs.add_parser("list", help="the runners, the models and the data there are")
    add.set_defaults(do=_list)
    add = verbs.add_parser("fetch", help="download models and data, once; everything works offline afterwards")
    add.add_argument("names", nargs="*", metavar="NAME", help="assets to fetch (default: all)")
    add.set_defaults(do=_fetch)
    _run_parser(verbs.add_parser("run", help="run one experiment and keep its result"))
    add = verbs.add_parser("doctor", help="what this machine has, what will be used and why, what is missing")
    add.set_defaults(do=_doctor)
    add = verbs.add_parser("check", help="run the visible tests of an exercise notebook")
    add.add_argument("notebook", type=Path)
    add.add_argument("--hint", type=int, metavar="NUMBER", help="give the next hint for this exercise; run nothing")
    add.set_defaults(do=_check)
    _results_parser(verbs.add_parser("results", help="show, record or compare recorded results"))
    add = verbs.add_parser("claims", help="what the course asserts, and what the recorded runs say to it")
    add.set_defaults(do=_claims)
    _pretrain_parser(verbs.add_parser("pretrain", help="make a model that ships with the course, from nothing (hours)"))
    add = verbs.add_parser("fill", help="let the encoder guess the word at [MASK]")
    add.add_argument("texts", nargs="*", metavar="TEXT", help="with [MASK] where a word is missing (default: some)")
    add.set_defaults(do=_fill)
    _write_parser(verbs.add_parser("write", help="let a decoder go on with a text"))
    return parser


def _run_parser(add: argparse.ArgumentParser) -> None:
    add.add_argument("runner")
    add.add_argument("--profile", default="cpu", help="smoke (seconds), cpu (default) or gpu")
    add.add_argument("--seed", default="0")
    add.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change one field; repeatable")
    add.add_argument("--device", default="auto", help="auto (default), cpu, cuda, mps or xpu")
    add.add_argument("--out", type=Path, default=Path("runs"), help="folder for results (default: runs)")
    add.add_argument("--again", action="store_true", help="run even if this result is there already")
    add.set_defaults(do=_run)


def _results_parser(add: argparse.ArgumentParser) -> None:
    add.add_argument("folder", nargs="?", type=Path, default=RECORDED)
    add.add_argument("--record", action="store_true", help="make the runs of the book that are missing there")
    add.add_argument("--only", action="append", metavar="RUNNER", help="record this runner; repeatable (default: all)")
    add.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds to record (default: {SEEDS})")
    add.add_argument("--stale", action="store_true", help="list only runs recorded by older code")
    add.set_defaults(do=_results)


def _pretrain_parser(add: argparse.ArgumentParser) -> None:
    add.add_argument("model", help="gpt, mlm-head or gold-judge")
    add.add_argument("--profile", default="cpu", help="smoke (seconds) or cpu (default)")
    add.add_argument("--seed", default="0")
    add.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change one field; repeatable")
    add.add_argument("--device", default="auto", help="auto (default), cpu, cuda, mps or xpu")
    add.add_argument("--out", type=Path, default=Path("runs"), help="folder for the finished model (default: runs)")
    add.set_defaults(do=_pretrain)


def _write_parser(add: argparse.ArgumentParser) -> None:
    add.add_argument("texts", nargs="*", metavar="TEXT", help="how it begins (default: some beginnings)")
    add.add_argument("--model", default="gpt-reviews", help="gpt-reviews (default), smollm2, a folder or a Hub id")
    add.add_argument("--seed", type=int, default=0, help="of the drawing; another seed goes on in another way")
    add.set_defaults(do=_write)


def _pretrain(options: argparse.Namespace) -> None:
    from ftlab import assets, pretraining

    recipe = pretraining.get(options.model)
    config = recipe.Config.make(recipe.PROFILES, options.profile, {**_fields(options.set), "seed": options.seed})
    work = assets.home() / "pretraining" / f"{recipe.NAME}-{options.profile}"
    print(f"Checkpoints lie in {work}; when it is stopped, the same command goes on from there.", file=sys.stderr)
    recipe.make(config, _say_hardware(options.device), work, options.out / recipe.NAME, print)


def _fill(options: argparse.Namespace) -> None:
    from ftlab import exhibits, masked, models
    from ftlab.pretraining import mlm_head

    model, tokenizer = models.masked_encoder()
    texts = options.texts or mlm_head.SENTENCES
    rows = [[text, exhibits.words(masked.fill(model, tokenizer, text))] for text in texts]
    _print(_table(["text", "likeliest words"], rows))


def _write(options: argparse.Namespace) -> None:
    from ftlab import models
    from ftlab.pretraining import gpt

    model, tokenizer = models.decoder(options.model)
    for text in gpt.write(model.eval(), tokenizer, options.texts or gpt.STARTS, options.seed):
        print(f"> {text}\n")


def _list(options: argparse.Namespace) -> None:
    from ftlab import assets, data, models, pretraining, runners

    rows = [["runner", name, (runners.get(name).__doc__ or "").splitlines()[0]] for name in runners.NAMES]
    rows += [["asset", name, asset.about] for name, asset in assets.ASSETS.items()]
    rows += [["recipe", name, (pretraining.get(name).__doc__ or "").splitlines()[0]] for name in pretraining.NAMES]
    rows += [["model", name, "encoder"] for name in models.ENCODERS]
    rows += [["model", name, "decoder"] for name in models.DECODERS]
    rows += [["reviews", name, "labelled film reviews"] for name in data.SOURCES]
    _print(_table(["kind", "name", "what it is"], rows))


def _fetch(options: argparse.Namespace) -> None:
    from ftlab import assets

    for name in options.names:
        assets.folder(name)  # an unknown name is said before anything is downloaded
    for name in options.names or assets.ASSETS:
        print(f"{name}: {assets.fetch(name)}")


def _run(options: argparse.Namespace) -> None:
    from ftlab import recording, results, runners

    runner = runners.get(options.runner)
    config = runner.Config.make(runner.PROFILES, options.profile, {**_fields(options.set), "seed": options.seed})
    machine = _say_hardware(options.device)
    result, path, fresh = recording.run_once(options.runner, config, machine, options.out, options.again)
    if os.environ.get("RANK", "0") != "0":
        return
    print("" if fresh else "This run was made already; --again repeats it.")
    rows = [[metric, results.show(metric, value)] for metric, value in sorted(result.metrics.items())]
    _print(_table([f"{options.runner}, seed {result.seed}", "value"], rows))
    print(f"kept in {path}\nto repeat: {result.provenance['command']}")


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise CourseError(f"--set takes FIELD=VALUE, for example --set learning_rate=3e-5; got {pair!r}.")
    fields = dict(pair.split("=", 1) for pair in pairs)
    for name in fields.keys() & {"profile", "seed"}:
        raise CourseError(f"{name!r} has an option of its own: --{name} {fields[name]}.")
    return fields


def _say_hardware(device: str) -> Hardware:
    from ftlab import hardware

    machine = hardware.resolve(device=device)
    if os.environ.get("RANK", "0") == "0":
        print(f"Running on {machine.name}. {' '.join(machine.reasons)}", file=sys.stderr)
    return machine


def _doctor(options: argparse.Namespace) -> int:
    from ftlab import assets, hardware

    machine = hardware.probe()
    gpus = ", ".join(gpu.name for gpu in machine.accelerators) or "none"
    print(f"Found: {machine.cores} core(s), {machine.memory_bytes / hardware.GB:.1f} GB free, GPU: {gpus}.")
    for reason in hardware.resolve(machine).reasons:
        print(f"  {reason}")
    print(f"Models and data: {assets.home()}")
    states = {name: assets.problem(name) for name in assets.ASSETS}
    _print(_table(["asset", "state"], [[name, state or "ready"] for name, state in states.items()]))
    missing = [name for name, state in states.items() if state]
    if missing:
        print(f"To fetch what is missing: ftlab fetch {' '.join(missing)}")
    return 1 if missing else 0


def _check(options: argparse.Namespace) -> int:
    from ftlab import exercises, notebooks, progress

    if options.hint is not None:
        print(progress.hint(options.notebook, options.hint))
        return 0
    known = exercises.find(exercises.read(options.notebook), options.notebook)
    print(f"Running {options.notebook} from top to bottom; this can take a minute.", file=sys.stderr)
    found = list(zip(known, notebooks.check(options.notebook), strict=True))
    kept = progress.Progress(options.notebook)
    kept.note(found)
    ask = f"ftlab check {options.notebook} --hint {{number}}"
    rows = [[e.title, progress.sentence(kept, e, o), progress.to_try(kept, e, o, ask)] for e, o in found]
    _print(_table(["exercise", "visible tests", "to try"], rows))
    print(" ".join([progress.summary(found), kept.problem]).strip())
    return 0 if all(outcome.passed for _, outcome in found) else 1


def _results(options: argparse.Namespace) -> int:
    from ftlab import recording, results, runners

    if options.record:
        recording.record(options.only or runners.NAMES, options.folder, options.seeds, print)
    if options.stale:
        old = recording.stale(options.folder)
        for run in old:
            print(f"{run.provenance['recorded']} {run.provenance['command']}")
        return 1 if old else 0
    runs = results.load_all(options.folder)
    if not runs:
        raise CourseError(f"There are no results in {options.folder}. To record them: ftlab results --record.")
    for name in dict.fromkeys(run.runner for run in runs):
        _summarise([run for run in runs if run.runner == name])
    return 0


def _summarise(runs: Sequence[Result]) -> None:
    """One runner's runs: a column for each config that differs in more than its seed, and what else they show."""
    from ftlab import exhibits, results

    frame = results.table(runs, results.varying(runs), sorted({name for run in runs for name in run.metrics}))
    for start in range(0, len(frame), COLUMNS):
        some = frame.iloc[start : start + COLUMNS]
        rows = [[column, *map(str, some[column])] for column in some.columns]
        table = _table([runs[0].runner, *[""] * len(some)], rows)
        table.columns[0].no_wrap = True
        _print(table)
    if exhibit := exhibits.of(runs):
        _print(_table(*exhibit))


def _claims(options: argparse.Namespace) -> None:
    from ftlab import claims, results

    known = sorted(claims.load(RECORDED.with_name("claims.yml")).values(), key=lambda claim: claim.lesson)
    runs = {name: results.load_all(RECORDED / name) for name in {claim.runner for claim in known}}
    rows = [[str(c.lesson), c.sentence, claims.judge(c, runs[c.runner]).sentence] for c in known]
    _print(_table(["lesson", "claim", "verdict"], rows))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*header)
    for row in rows:
        table.add_row(*map(escape, row))  # square brackets in a message are no markup
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 120).print(table)


if TYPE_CHECKING:
    from ftlab.hardware import Hardware
    from ftlab.results import Result

if __name__ == "__main__":
    raise SystemExit(main())
