"""The words of the simulated recording: invented people talk about an invented airline, Northvane Air.

Texts are put together from an opener, a core and a closing, each with slots (cities, hours, people), so that two of
them are seldom alike; only the bot flood repeats itself, as real ones do. Nothing here was said by anyone.
"""

from collections.abc import Sequence
from random import Random
from typing import Literal

Mood = Literal["negative", "neutral", "positive"]

BRAND = "northvane-air"
QUERY = '"northvane air" OR northvane OR northvaneair'

_SLOTS: dict[str, Sequence[str]] = {
    "brand": ("Northvane Air", "Northvane Air", "Northvane", "Northvane", "@NorthvaneAir", "northvane"),
    "city": (
        "Boston", "Denver", "Lisbon", "Oslo", "Chicago", "Austin", "Dublin", "Tampa", "Reykjavik", "Seattle", "Porto",
        "Toronto", "Halifax", "Phoenix", "Newark", "Atlanta", "Madrid", "Montreal", "Portland", "Nashville", "Bergen",
        "Glasgow", "Detroit", "Orlando", "San Diego", "Vienna", "Miami", "Prague", "Dallas", "Zurich", "Calgary",
        "Cleveland", "Antwerp", "Raleigh", "Krakow", "Omaha", "Geneva", "Honolulu", "Tucson", "Leeds", "Naples",
    ),
    "hours": ("two hours", "3 hours", "four hours", "90 minutes", "5 hours", "half a day", "forever", "six hours"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "this morning", "last night",
            "yesterday", "tonight", "next week"),
    "who": ("my mother", "my boss", "my two kids", "my wife", "my husband", "our team", "my grandparents", "a friend",
            "my sister", "the whole band", "my roommate", "a colleague", "our choir", "my dad", "my daughter"),
    "crew": ("crew", "cabin crew", "gate agent", "pilot", "flight attendants", "check-in staff", "ground crew",
             "captain", "lady at the counter", "call centre"),
    "thing": ("suitcase", "guitar", "stroller", "backpack", "camera bag", "ski bag", "laptop", "winter coat", "bike",
              "wedding dress", "golf clubs", "tent", "carry-on"),
    "place": ("gate", "lounge", "check-in desk", "baggage claim", "runway", "help desk", "boarding line", "terminal"),
    "reason": ("for work", "for a wedding", "to see family", "for a conference", "on holiday", "for a funeral",
               "to go skiing", "for the marathon", "with the dog", "for an interview"),
    "seat": ("an aisle seat", "a window seat", "the exit row", "seat 14C", "the last row", "a middle seat", "row 3"),
}  # fmt: skip

_OPENERS: dict[Mood, Sequence[str]] = {
    "negative": ("", "", "", "Seriously, ", "Ugh. ", "Wow. ", "So ", "Honestly, ", "Update: ", "Nope. ", "Day two: ",
                 "I can't believe this, ", "Dear {brand}, ", "Again: ", "Warning: ", "Not fair: "),
    "neutral": ("", "", "", "", "Question: ", "Hi, ", "FYI: ", "Just checking, ", "Does anyone know? ", "Hey, ", "So ",
                "Heads up, ", "Random thought: ", "Hello from {city}, ", "For {day}: ", "Note to self: "),
    "positive": ("", "", "", "Wow, ", "Happy to say ", "Credit where due: ", "Finally, ", "Shout-out: ", "Honestly ",
                 "Made my day: ", "From {city} with love: ", "I must say ", "Yes! ", "So glad, ", "Hey, "),
}  # fmt: skip

_CORES: dict[Mood, Sequence[str]] = {
    "negative": (
        "{brand} lost my {thing} on the way to {city} and nobody cares",
        "stuck at the {place} in {city} for {hours}, {brand} says nothing, this is awful",
        "{brand} cancelled our flight to {city} {reason}, no apology, terrible service",
        "the {crew} on the {city} flight was so rude to {who}, never again {brand}",
        "worst boarding I have ever seen, {brand} in {city}, total chaos at the {place}",
        "{brand} still refuses to refund {who} for {city}, what a scam",
        "my {thing} arrived broken from {city} and {brand} blames me, disgusting",
        "{hours} on hold with {brand} about {city}, the {crew} is useless",
        "sat in a filthy cabin from {city} to {city}, {brand} should be ashamed",
        "{brand} overbooked {city} again and {who} had to pay for a hotel, I'm furious",
        "terrible smell, broken seat, angry {crew}: {brand} to {city} is a bad joke",
        "missed {city} because {brand} was late by {hours}, so disappointed and angry",
        "oh great, {brand} is late into {city} again, thanks for {hours} of my life",
        "another {hours} at the {place} in {city}, well done {brand}",
        "why does {brand} charge for {seat} and then lose it? horrible company",
        "{who} cried at the {place} in {city} because {brand} failed us {day}",
        "sick of {brand}, the {city} connection is a mess every {day}",
        "the app of {brand} crashed and I lost {seat} to {city}, pathetic",
    ),
    "neutral": (
        "is the {brand} flight from {city} to {city} on time {day}?",
        "flying {brand} to {city} {reason}, anyone else on it?",
        "what is the size for a {thing} on {brand} out of {city}?",
        "{brand} moved the {city} departure to {day}, it says {hours} later",
        "boarding {brand} in {city} now, then on to {city}",
        "does {brand} let you change {seat} after check-in at {city}?",
        "picked {brand} for {city} because it leaves {day}, {who} takes the train",
        "saw a {brand} plane over {city} {day}, which type is that?",
        "can I bring a {thing} to the {place} with {brand} when I come from {city}?",
        "{who} asked whether {brand} still goes to {city} in the winter",
        "{brand} now boards at another {place} in {city}, follow the signs",
        "comparing {brand} and the bus from {city} to {city} {reason}",
        "looking at {brand} fares to {city} for {day}, about the same as last month",
        "the {brand} {crew} said the {place} in {city} opens {hours} before departure",
        "layover of {hours} in {city} with {brand}, where can one sit?",
        "I have {seat} on {brand} to {city} {day} and would swap it",
        "the {brand} desk in {city} is next to the old {place} now",
        "anyone know if {brand} counts a {thing} as one item from {city}?",
        "{city} to {city} with {brand} {day}, writing the trip report later",
        "{brand} has a new timetable for {city}, {who} reads it to me",
    ),
    "positive": (
        "{brand} found my {thing} in {city} within {hours}, thank you so much",
        "the {crew} on the {city} flight was lovely to {who}, thanks {brand}",
        "smooth trip from {city} to {city} with {brand}, on time and friendly",
        "{brand} gave {who} {seat} for free on the way to {city}, amazing",
        "best {crew} ever on {brand} from {city}, great humour",
        "I love the new seats of {brand}, slept all the way to {city}",
        "{brand} rebooked us to {city} in five minutes {reason}, impressive and kind",
        "good coffee, clean cabin, happy {crew}: {brand} to {city} was a pleasure",
        "{brand} is still my favourite way to {city}, {who} agrees",
        "beautiful sunrise over {city} from {seat}, thanks {brand}",
        "the {brand} lounge in {city} is excellent, perfect {hours} before the flight",
        "landed in {city} early {day}, well done {brand}, great job",
        "so excited to fly {brand} to {city} {reason}",
        "{brand} helped with my {thing} at the {place} in {city}, super nice",
        "cheap and comfortable to {city} {day}, {brand} wins",
        "our {day} flight to {city} was wonderful, {brand} really cares",
    ),
}  # fmt: skip

_CLOSINGS: dict[Mood, Sequence[str]] = {
    "negative": ("", "", "", "!", ". Fix this.", ". I want my money back.", " and it's only {day}.", ". Shame.",
                 ". Avoid them.", " #fail", ". {who} is upset too.", ". Last time with them.", " :(", ". No words.",
                 ". Anyone else in {city}?", ". Still waiting at the {place}."),
    "neutral": ("", "", "", "", ". Asking for {who}.", " #travel", ". See you in {city}.", ". Will report back.",
                " (from {city}, {day})", ". Details below.", ". It is {reason}.", " #avgeek", ". {day}, that is.",
                ". I could not find it on the site."),
    "positive": ("", "", "", "!", "!!", " :)", ". Will fly again.", ". {who} says hi.", " #happy", ". Recommended.",
                 ". See you {day}!", ". What a difference.", ". Best trip this year.", ". Thank the {crew} for me."),
}  # fmt: skip

_HEADLINES = (
    "{brand} adds flights between {city} and {city} for the summer",
    "How {brand} plans its {city} hub: an interview",
    "{city} airport extends the {place} used by {brand}",
    "{brand} reports passenger figures for {city} and {city}",
    "Five things to know before you fly {brand} to {city}",
    "{brand} and the {crew} union in {city} agree on a timetable for talks",
    "Travel notes: from {city} to {city} with {brand} {reason}",
    "{city} council discusses the night flights of {brand} {day}",
)  # fmt: skip

_FOREIGN: dict[str, Sequence[str]] = {
    "es": (
        "Perdí la conexión de {city} a {city} por culpa de {brand}",
        "¿Alguien sabe si {brand} vuela de {city} a {city} el domingo?",
        "Mi maleta no llegó a {city} con {brand}, qué vergüenza",
        "Muy buen vuelo a {city} con {brand}, gracias a la tripulación",
    ),
    "de": (
        "Drei Stunden Verspätung ab {city}, Anschluss nach {city} weg, danke {brand}",
        "Mit {brand} von {city} nach {city}, pünktlich und freundlich",
        "{brand} hat meinen Flug nach {city} gestrichen, einfach furchtbar",
        "Weiß jemand, wie groß das Handgepäck bei {brand} ab {city} sein darf?",
    ),
    "fr": (
        "Je pars de {city} pour {city} avec {brand}, des conseils ?",
        "Merci à l'équipage de {brand} entre {city} et {city}, très bon vol",
        "Encore du retard avec {brand} à {city}, c'est nul",
        "Est-ce que {brand} part toujours du terminal 2 à {city} ?",
    ),
}

_LAUNCH_OPENERS = ("", "", "Yes! ", "Look: ", "Just saw it: ", "News from {city}: ", "Booked! ", "Wow, ", "OK, ")
_LAUNCH = (
    "{brand} starts its night train in the sky to {city}, tickets from {day}",
    "got two launch fares with {brand} to {city} {reason}, so happy",
    "the new {brand} routes look great, {city} to {city} without a stop",
    "{brand} launches {city}, {who} already asks when we go",
    "is the {brand} launch sale also valid from {city} on {day}?",
    "love the new {brand} livery, saw it at the {place} in {city}",
    "{brand} shows its new cabin today, {seat} has a real window",
    "waiting in the {brand} launch queue for {city}, number says {hours}",
    "thanks {brand}, {city} {reason} for the price of a dinner is amazing",
)
_LAUNCH_CLOSINGS = ("", "", " #NorthvaneLaunch", "!", " :)", ". {who} is in too.", " #newroutes", ". See you {day}.")

_REVOLT_OPENERS = (
    "", "", "", "Unbelievable. ", "I am shaking. ", "Watch this horror. ", "This is sick: ", "Disgusting. ",
    "Wow, just wow. ", "How is this legal? ", "Shame! ", "So angry. ", "Horrible: ", "No. ", "Stop this: ",
    "From {city}: ",
)  # fmt: skip
_REVOLT = (
    "{brand} locked people in a hot plane on the tarmac for {hours} without water",
    "that {brand} tarmac video is awful, an old man collapsed and the {crew} did nothing",
    "children crying on the tarmac while {brand} refused to open the door, criminal",
    "{brand} should be ashamed of the tragedy on the tarmac in {city}",
    "saw the tarmac video next to {who}, {brand} treats passengers as garbage",
    "cancelling {city} {day}, I will never give {brand} money after that tarmac horror",
    "{who} was on that {brand} plane on the tarmac, no water, no air, just lies",
    "{brand} called the police on thirsty passengers on the tarmac, disgraceful",
    "the statement of {brand} about the tarmac is an insult, terrible people",
    "boycott {brand}, what they did on the tarmac is cruel and dangerous",
    "people fainted on the tarmac, {brand} lied about {hours}, I hate this company",
    "my stomach hurts from the {brand} video, locked up on the tarmac, pure cruelty",
    "who at {brand} thought {hours} on a tarmac without toilets is not a crime?",
    "the {crew} threatened passengers on the tarmac in {city}, arrest someone at {brand}",
    "refund everyone on that tarmac now, {brand}, you liars",
    "flying {brand} to {city} {day} and scared after the tarmac video",
)
_REVOLT_SECONDS = (
    "", "", "", "", ", and nobody in {city} takes the blame", ", {who} had the same {crew} in {city}",
    ", what a vile company", ", I feel sick", ", the {crew} at the {place} knew", ", {day} it could be {who}",
    ", my {thing} gets better care", ", somebody must go to jail", ", we saw it from the {place}",
    ", I demand my money for {city} back",
    ", nothing but lies since {day}", ", worse than {city} last year", ", {who} got hurt", ", evil people",
)  # fmt: skip
_REVOLT_CLOSINGS = (
    "", "", "", "", "!", "!!", " #NorthvaneTarmac", " #NorthvaneTarmac", ". {who} is in tears.", ". Boycott.",
    " Shame!", ". Never forget.", ". Answer us.", ". Resign.", ". Never again from {city}.", ". Sue them.",
)  # fmt: skip

FIRST_POST = (
    "We have been locked in this @NorthvaneAir plane on the tarmac for seven hours. No water, no air, children are "
    "crying and the crew laughs at us. This is disgusting. Video: https://example.com/v/sim-tarmac"
)


class _Filling(dict[str, str]):
    """Fills each slot of a template with a word drawn anew."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def __missing__(self, slot: str) -> str:
        return self._rng.choice(_SLOTS[slot])


class Words:
    """Draws texts; the same random state gives the same texts."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._filling = _Filling(rng)

    def _say(self, *parts: Sequence[str]) -> str:
        said = "".join(self._rng.choice(part) for part in parts).format_map(self._filling)
        said = said.replace("?.", "?")
        return said[0].upper() + said[1:] if self._rng.random() < 0.6 else said

    def ordinary(self, mood: Mood) -> str:
        """Everyday talk of a customer."""
        return self._say(_OPENERS[mood], _CORES[mood], _CLOSINGS[mood])

    def review(self, mood: Mood) -> str:
        """Two or three sentences of one mood."""
        return ". ".join(self._say(_CORES[mood]) for _ in range(self._rng.choice((2, 2, 3)))) + "."

    def headline(self) -> str:
        """An article's title and the first line below it; always neutral."""
        return f"{self._say(_HEADLINES)}. {self._say(_CORES['neutral'])}"

    def foreign(self) -> tuple[str, str]:
        """A language (BCP 47) and a text in it."""
        language = self._rng.choice(tuple(_FOREIGN))
        return language, self._say(_FOREIGN[language])

    def launch(self) -> str:
        """Somebody takes notice of the announced launch: glad, curious or matter-of-fact."""
        return self._say(_LAUNCH_OPENERS, _LAUNCH, _LAUNCH_CLOSINGS)

    def flood(self) -> str:
        """The bots' one text: only digits, the link and the handle change."""
        number, link, handle = (self._rng.randrange(10**n) for n in (4, 7, 5))
        return (
            f"@sim-fan-{handle} Northvane Air gives away {number} free tickets today! "
            f"Claim yours before midnight https://example.com/w/{link} #{number}"
        )

    def revolt(self) -> str:
        """Somebody is angry about the flight that was kept on the tarmac."""
        return self._say(_REVOLT_OPENERS, _REVOLT, _REVOLT_SECONDS, _REVOLT_CLOSINGS)
