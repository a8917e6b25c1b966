"""From a text to what is counted of it: language, sentiment, spam, signature."""

from dataclasses import dataclass

from collectors.language import Guess, from_hint, guess
from collectors.sentiment import UNSCORED, Engine, Label
from collectors.sentiment import engine as engine_named
from collectors.spam import looks_spam, signature


@dataclass(frozen=True)
class Annotation:
    """What is known of one text.

    `language` is an ISO 639 code, None where not sure. `sentiment`, `negative` (P(negative), 0-1) and `positive` are
    None where `scored` is false: abstained, never neutral. `signature` is shared by copies of the text (64 bits).
    """

    language: str | None
    sentiment: Label | None
    negative: float | None
    positive: float | None
    scored: bool
    spam: bool
    signature: int | None


def annotate(mention_text: str, language_hint: str | None = None, engine: Engine | None = None) -> Annotation:
    """Annotate one text; the network's language hint (BCP 47) goes before our own guess.

    A text whose language is not sure is judged where the likeliest language is one of the engine's: of English tweets
    those are the short ones ("so bad"), and they are as telling as the rest.
    """
    engine = engine or engine_named()
    hinted = from_hint(language_hint)
    likeliest = Guess(hinted, sure=True) if hinted else guess(mention_text)
    judged = engine.judge(mention_text) if likeliest.language in engine.languages else UNSCORED
    return Annotation(
        language=likeliest.language if likeliest.sure else None,
        sentiment=judged.label,
        negative=judged.negative,
        positive=judged.positive,
        scored=judged.scored,
        spam=looks_spam(mention_text),
        signature=signature(mention_text),
    )
