"""`POST /v1/queries/test`: which texts a query matches, and which of its terms did it."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from collectors.explain import Explainer, Explanation, told
from collectors.mention import MAX_TEXT, Author, Kind
from collectors.query import MAX_LENGTH, QueryError, parse
from service.api.context import Admin
from service.api.problems import Problem

router = APIRouter(prefix="/v1", tags=["brands"])

MAX_TEXTS = 200
"""Texts a request: more than anyone reads."""
MAX_CHARACTERS = 500_000
"""Characters of all texts of a request, so that it takes no more than seconds whatever they are."""

_Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


class QuerySample(BaseModel):
    """A text and what filters ask of its mention; a whole mention does, the rest of it is passed over."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(max_length=MAX_TEXT)
    source: str | None = None
    url: str | None = Field(default=None, max_length=4096)
    author: Author | None = None
    language: str | None = Field(default=None, max_length=35)
    kind: Kind = "post"


class QueryTest(BaseModel):
    """A query and what it is tried on."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(max_length=MAX_LENGTH)
    texts: list[_Text | QuerySample] = Field(max_length=MAX_TEXTS)


class QueryFound(BaseModel):
    """A term, filter or NEAR that holds."""

    term: str
    spans: list[tuple[int, int]] = Field(
        default=[], description="start and end in the text as sent, in code points; at most 100, none for filters"
    )
    excludes: bool = Field(default=False, description="it stands under NOT")


class QueryAnswer(BaseModel):
    """What became of one text."""

    matches: bool
    found: list[QueryFound]


class QueryTested(BaseModel):
    """The query as it was understood, and what became of each text, in order."""

    query: str
    results: list[QueryAnswer]


@router.post("/queries/test", response_model=QueryTested, response_model_exclude_defaults=True)
def post_test(body: QueryTest, _: Admin) -> Any:
    """Try a query on texts, or on mentions where it has filters; nothing is stored.

    A query that cannot be read is a problem whose first error says `column` (from 1), `what` is wrong, and what would
    be `expected`.
    """
    try:
        query = parse(body.query)
    except QueryError as error:
        place = {"where": "query", "what": error.message, "column": error.column, "expected": error.expected}
        raise Problem(422, f"query: {error}", [place]) from None
    if sum(len(sample if isinstance(sample, str) else sample.text) for sample in body.texts) > MAX_CHARACTERS:
        raise Problem(413, f"texts: they have more than {MAX_CHARACTERS} characters; send them in parts")
    explainer = Explainer(query)
    return {"query": str(query), "results": [told(_explained(explainer, sample)) for sample in body.texts]}


def _explained(explainer: Explainer, sample: str | QuerySample) -> Explanation:
    if isinstance(sample, str):
        return explainer.explain(sample)
    return explainer.explain(sample.text, sample.model_dump(exclude={"text"}))
