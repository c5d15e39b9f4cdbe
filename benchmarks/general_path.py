"""Which general path, by numbers: ways to canonicalize one 3 kB badge of an unknown template, beside PyLD's whole path.

CPU time of the fastest of many single turns, the ways taking turns. pyoxigraph is measured where it is installed; the
product does not need it. `python -m benchmarks.general_path [TURNS]`
"""

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any

from pyld import canon, jsonld

from benchmarks.badges import badges
from benchmarks.engine import PYLD
from libs.openbadges.jsonld import canonical, rdf, rdfc
from libs.openbadges.model.profile import PRODUCTION


def prepared(document: dict[str, Any]) -> rdf.Dataset:
    """Check and expand as the general path does."""
    return canonical.to_dataset(document)


def by_pyld_expansion(document: dict[str, Any]) -> str:
    """Expand by PyLD with remembered contexts, as documents are that are not plain."""
    return rdfc.serialize(rdf.to_dataset(canonical._expand(document, PRODUCTION))).text  # noqa: SLF001  the part left aside


def by_urdna2015(document: dict[str, Any]) -> str:
    """Canonicalize by PyLD what our expansion answers."""
    return str(canon.URDNA2015().main(prepared(document), {"format": "application/n-quads"}))


def by_pyoxigraph(document: dict[str, Any]) -> str:
    """Canonicalize by pyoxigraph, handed N-Quads, which is quicker than handing it terms one by one."""
    # By name, since it may not be installed.
    pyoxigraph = importlib.import_module("pyoxigraph")
    lines = []
    for name, statements in prepared(document).items():
        graph = "" if name == "@default" else f" {name}" if name.startswith("_:") else f" <{name}>"
        for one in statements:
            subject, about = rdfc._subject(one["subject"]), rdfc._object(one["object"])  # noqa: SLF001  as we write
            lines.append(f"{subject} <{one['predicate']['value']}> {about}{graph} .\n")
    dataset = pyoxigraph.Dataset(pyoxigraph.parse("".join(lines).encode(), format=pyoxigraph.RdfFormat.N_QUADS))
    dataset.canonicalize(pyoxigraph.CanonicalizationAlgorithm.RDFC_1_0)
    return "".join(sorted(f"{quad} .\n" for quad in dataset))


def ways() -> dict[str, Callable[[dict[str, Any]], str]]:
    """What is compared, by name."""
    found: dict[str, Callable[[dict[str, Any]], str]] = {
        "PyLD, whole": lambda document: str(jsonld.normalize(document, PYLD)),
        "PyLD's expansion, contexts remembered; our RDFC-1.0": by_pyld_expansion,
        "our expansion; PyLD's URDNA2015": by_urdna2015,
        "our expansion; our RDFC-1.0": canonical.canonicalize,
    }
    if importlib.util.find_spec("pyoxigraph"):
        found["our expansion; pyoxigraph's RDFC-1.0"] = by_pyoxigraph
    return found


def main() -> None:
    """Print microseconds and the ratio to PyLD for each way."""
    documents, compared = badges(40), ways()
    if any(len({way(document) for way in compared.values()}) != 1 for document in documents):
        raise SystemExit("the ways disagree; no figure would mean anything")
    best = dict.fromkeys(compared, float("inf"))
    for turn in range(int(sys.argv[1]) if len(sys.argv) > 1 else 300):
        for name, way in compared.items():
            started = time.thread_time_ns()
            way(documents[turn % len(documents)])
            best[name] = min(best[name], (time.thread_time_ns() - started) / 1000)
    for name, took in best.items():
        print(f"{name:56} {took:8,.0f} µs {best['PyLD, whole'] / took:6.1f} times PyLD")


if __name__ == "__main__":
    main()
