"""What our directives have in common: a mistake of an author is a warning that says what to do, and no crash."""

from __future__ import annotations

from typing import ClassVar

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ftlab.errors import CourseError

LOGGER = logging.getLogger(__name__)


class CourseDirective(SphinxDirective):
    """Shows what `show` gives; where it raises CourseError, nothing, with a warning of the type ftbook.`kind`."""

    kind: ClassVar[str]

    def run(self) -> list[nodes.Node]:
        """The nodes, or none and a warning."""
        try:
            return self.show()
        except CourseError as error:
            LOGGER.warning("%s", error, location=self.get_location(), type="ftbook", subtype=self.kind)
            return []

    def show(self) -> list[nodes.Node]:
        """The nodes. Raises CourseError for a mistake of the author."""
        raise NotImplementedError
