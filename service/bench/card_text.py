"""What the accuracy card says around its figures."""

TOP = """\
# Accuracy

How much of what matters Foreshock finds, how soon, and how often it pages for nothing: measured on series whose truth
is known, beside the published rules of other tools. This page is written by `make accuracy`; edit
`service/bench/card_text.py` instead. Above each table stands the command that gives its figures, and more of them; DIR
is a folder of recorded series (`truth.json`, `tweets/`, `replays/`). Brackets hold 95 % intervals over brands
(bootstrap of whole brands). All runs are strictly causal, with one configuration for all
series; nothing is fitted to the labels, but the lengths of the windows and a few weights were chosen while looking at
the recorded series: expect somewhat less elsewhere.

The *alert budget* is the one setting: how many false pages (openings and escalations) a brand may raise a week.
"""

TITLES = {
    "tweets": "Labelled points of real brands",
    "replays": "Revolts of known onset",
    "outbreaks": "Outbreak simulations, weekly",
    "calibration": "Is the budget kept?",
    "injected": "Against an oracle",
    "scoring": "Speed",
}

HOW = {
    "tweets": """\
Mentions of seven companies on Twitter in 5-minute buckets, 26 February to 22 April 2015, with labelled points (Numenta
Anomaly Benchmark, realTweets). A label is hit when an episode opens or escalates from 60 minutes before to 15 minutes
after it; what is further than 60 minutes from every label is false. Volume is all there is: no sentiment, no authors.
""",
    "replays": """\
Quiet stretches of six of those brands, onto which the growth curve of a real event (CrisisLexT26) is laid at a known
onset, at 0.5, 2 or 8 times the brand's 95th percentile; negative, scored and authors are drawn. A revolt is caught when
an episode opens or escalates within 6 hours of its onset; its delay counts to the end of the bucket that did it. What
is raised before the onset, past the first three days, is false. The quiet stretches are few, since revolts share them:
that is why the intervals are wide. The other tools' rules look at volume alone, so that Foreshock stands beside them
with and without sentiment and authors.
""",
    "outbreaks": """\
The 42 scenarios of Noufaily et al. (2013) as in Bedubourg & Le Strat (2017), PLoS ONE 12(7): e0181227: weekly counts of
twelve years, the last one judged. False positive rate (weeks without outbreak that are flagged) and probability of
detection, beside an implementation of Farrington Flexible.
""",
    "calibration": """\
Simulated quiet brands, Poisson to heavily overdispersed, 0.01 to 1,000 mentions a minute, with daily and weekly rhythm,
trends and gaps: every page they raise is false. 1 means that the budget is spent exactly; below it where the floors on
count and effect bind (`free` leaves those brands out), and `live` is minute by minute, as the service looks.
""",
    "injected": """\
Revolts of 5 to 300 % extra, doubling every 10 to 120 minutes, on real quiet series: how long until the page, against an
oracle that knows the true rate and has the same budget (the CUSUM bound).
""",
    "scoring": """\
What judging costs on one core: one tick of all brands, all windows; and one fit.
""",
}

COLD = """\
The same revolts at budget 0.5 with the history before the onset cut to what a young brand has. Before 6 hours nothing
is judged. False pages are those raised from that age to that of the next line, the last one to the end. By the same
command, figures `cold_HOURS_...`.
"""

LIMITS = """\
- Labels are few (a difference of two is noise), of seven large American companies, one network and two months of 2015;
  intervals over so few brands are themselves rough. Expect other brands to differ.
- The revolts are half synthetic: the quiet and the growth are real, their meeting and the negative share are not.
- A revolt as small as half of a brand's 95th percentile is mostly not seen within 6 hours at a small budget: the table
  by strength says how many.
- A budget is a long-run rate. Real weeks cluster: some have none, some several. Where the floors on count and effect
  bind, less than the budget is spent.
- Thresholds of the other rules *at equal false rate* were chosen with the truth known, one for all series, as the best
  within the budget: kinder to them than life. Foreshock is told its budget beforehand and keeps to it by itself, so
  that its real rate is told in each cell.
- Rules were taken from the tools' public descriptions; what a vendor runs today may differ.
- Prophet is refitted weekly on hourly counts with its defaults, and tells at the end of the hour.
"""
