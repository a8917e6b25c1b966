"""Which departments an episode concerns: a rule in four lines, by its kind, its detector and where people talk."""

from typing import Literal

from service.episode import Episode

Department = Literal["marketing", "communications", "support", "product", "HR"]

PART = 0.1
"""Part of the mentions from which a source is one that carries an episode, as for its severity."""
DESKS: dict[str, Department] = {
    "zendesk": "support",
    "appstore": "product",
    "googleplay": "product",
    "trustpilot": "product",
    "glassdoor": "HR",
    "kununu": "HR",
    "indeed": "HR",
}
"""Sources whose posts are one department's daily work: tickets, reviews of products, reviews of employers."""


def concerned(episode: Episode) -> frozenset[Department]:
    """Return the departments of an episode.

    Communications have every crisis and every blind hour; marketing every opportunity, and what is only much
    (`volume`); support, product and HR an episode of which a tenth is their tickets or reviews.
    """
    found: set[Department] = {"marketing"} if episode.kind == "opportunity" else {"communications"}
    if episode.detector == "volume":
        found.add("marketing")
    return frozenset(found | {DESKS[source] for source in carrying(episode) if source in DESKS})


def carrying(episode: Episode) -> frozenset[str]:
    """Return the sources that carry a tenth of an episode's mentions."""
    sources = episode.evidence.get("sources") or {}
    return frozenset(source for source, n in sources.items() if n >= PART * sum(sources.values()))
