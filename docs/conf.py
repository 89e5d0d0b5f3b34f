"""The documentation as a site: `make docs`. It loads nothing from the network, here or in a reader's browser."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reference import write_pages, write_results

project = html_title = "ThoughtTrace evaluation"
author = "The ThoughtTrace evaluation authors"
extensions = ["myst_parser"]
exclude_patterns = ["example"]
# Headings down to ### can be linked to, under the names that GitHub gives them.
myst_heading_anchors = 3
html_theme = "furo"
html_copy_source = html_show_sourcelink = html_show_copyright = False
# A finished report, copied as it is.
html_extra_path = ["example"]


def setup(app: Sphinx) -> None:
    """Make the generated pages before the others are read, and after all the leaderboard, which is none of Sphinx's."""
    results = Path(app.srcdir).parent / "results"
    app.connect("builder-inited", lambda _: write_pages(Path(app.srcdir) / "generated", results))
    app.connect("build-finished", lambda _, error: error or write_results(results, Path(app.outdir) / "leaderboard"))
