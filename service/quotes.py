"""Which posts an episode quotes, and the episode without some of them: what its author deleted is to be seen nowhere.

A quotation is a post in short, as `service/evidence.py` keeps it: `source`, `id` and `text`, wherever it stands in the
evidence. Posts are known by `keys.identity`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from detectors.voice import SOMEBODY
from service import keys
from service.episode import Episode

LEAST_NAME = 3
"""Characters of a name that is looked for in a sentence: a shorter one would be found in words."""

Evidence = dict[str, Any]


def quotations(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every post that is quoted in a part of the evidence."""
    if isinstance(part, dict):
        if _is_post(part):
            yield part
            return
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from quotations(inner)


def quoted_keys(evidence: Evidence) -> list[str]:
    """Return by which keys a deletion finds an episode with this evidence, sorted."""
    return sorted({key_of(post) for post in [*quotations(evidence), *_copied(evidence)]})


def key_of(post: dict[str, Any]) -> str:
    """Return the key of a post."""
    return keys.identity(str(post["source"]), str(post["id"]))


def without(episode: Episode, gone: Collection[str]) -> Episode:
    """Return an episode that quotes none of the posts `gone` (keys); the same where it quoted none."""
    lost = [post for post in quotations(episode.evidence) if key_of(post) in gone]
    copies = [post for post in _copied(episode.evidence) if key_of(post) in gone]
    if not lost and not copies:
        return episode
    evidence = _cleared(episode.evidence, gone)
    evidence = _without_texts(evidence, gone, {post["text"] for post in lost})
    evidence = _without_authors(evidence, {key_of(post): post for post in lost}.values())
    told = {"evidence": evidence}
    voice = episode.evidence.get("voice")
    names = [_name(voice)] if voice and key_of(voice) in gone else []
    reason = _unnamed(episode.reason, names)
    log = [entry.model_copy(update={"note": _unnamed(entry.note or "", names) or None}) for entry in episode.log]
    return episode.model_copy(update={**told, "reason": reason, "log": log})


def _is_post(part: dict[str, Any]) -> bool:
    return {"source", "id", "text"} <= part.keys()


def _copied(evidence: Evidence) -> list[dict[str, Any]]:
    """Return whose texts `suspected` shows, in their order."""
    return list((evidence.get("suspected") or {}).get("posts") or [])


def _cleared(part: Any, gone: Collection[str]) -> Any:
    """Return a part of the evidence without the posts that are gone; one that stands alone becomes None."""
    if isinstance(part, list):
        return [_cleared(inner, gone) for inner in part if not _is_gone(inner, gone)]
    if isinstance(part, dict):
        return {name: None if _is_gone(inner, gone) else _cleared(inner, gone) for name, inner in part.items()}
    return part


def _is_gone(part: Any, gone: Collection[str]) -> bool:
    return isinstance(part, dict) and _is_post(part) and key_of(part) in gone


def _without_texts(evidence: Evidence, gone: Collection[str], texts: Collection[str]) -> Evidence:
    suspected = evidence.get("suspected") or {}
    shown, posts = suspected.get("texts") or [], _copied(evidence)
    if not shown:
        return evidence
    posts += [{}] * (len(shown) - len(posts))  # an older episode does not say whose they are
    kept = [
        (text, post)
        for text, post in zip(shown, posts, strict=False)
        if text not in texts and not (post and key_of(post) in gone)
    ]
    named = {"texts": [text for text, _ in kept], "posts": [post for _, post in kept if post]}
    return {**evidence, "suspected": {**suspected, **named}}


def _without_authors(evidence: Evidence, lost: Iterable[dict[str, Any]]) -> Evidence:
    """Take the lost posts from their authors' numbers; one who has none left is named no more."""
    fewer = Counter(str((post.get("author") or {}).get("id")) for post in lost)
    authors = [
        {**author, "mentions": author["mentions"] - fewer[str(author["id"])]}
        for author in evidence.get("top_authors") or []
        if author["mentions"] > fewer[str(author["id"])]
    ]
    return {**evidence, "top_authors": authors} if "top_authors" in evidence else evidence


def _name(post: dict[str, Any]) -> str:
    author = post.get("author") or {}
    return " ".join((author.get("name") or author.get("id") or "").split())


def _unnamed(sentence: str, names: Iterable[str]) -> str:
    for name in names:
        if len(name) >= LEAST_NAME:
            sentence = sentence.replace(name[:60], SOMEBODY)
    return sentence
