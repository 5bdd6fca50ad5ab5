"""The one error that people see: it says what happened, where, and what to do next."""


class CourseError(Exception):
    """A problem that a person can mend; the command line prints its message alone and exits with 1."""


def unknown(kind: str, name: str, known: list[str]) -> CourseError:
    """An error for a name that does not exist, with the right names and the nearest one."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return CourseError(f"There is no {kind} named {name!r}.{hint} The {kind}s are: {', '.join(known)}.")
