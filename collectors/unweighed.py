"""Words that get no weight of sentiment, whatever the texts say that it is learned from."""

GROUPS = frozenset(
    {"african", "africans", "american", "americans", "arab", "arabs", "asian", "asians", "bisexual", "black", "blacks"}
    | {"blind", "boy", "boys", "chinese", "christian", "christians", "deaf", "disabled", "elderly", "female", "females"}
    | {"gay", "gays", "girl", "girls", "hispanic", "homosexual", "immigrant", "immigrants", "indian", "indians", "jew"}
    | {"jewish", "jews", "latino", "lesbian", "lesbians", "male", "males", "man", "men", "mexican", "mexicans"}
    | {"muslim", "muslims", "queer", "refugee", "refugees", "straight", "trans", "transgender", "white", "whites"}
    | {"woman", "women"}
)
"""Groups of people: what was learned of them would be prejudice."""

BRANDS = frozenset(
    {"adidas", "airbnb", "alaska", "amazon", "american", "android", "apex", "apple", "asus", "bbc", "boeing", "canon"}
    | {
        "canons",
        "cisco",
        "cnn",
        "comcast",
        "creative",
        "dell",
        "delta",
        "disney",
        "facebook",
        "fedex",
        "ford",
        "google",
    }
    | {
        "hitachi",
        "honda",
        "ikea",
        "instagram",
        "intel",
        "ipad",
        "iphone",
        "ipod",
        "jetblue",
        "lexar",
        "linksys",
        "lufthansa",
    }
    | {"mcdonald's", "mcdonalds", "microsoft", "netflix", "netgear", "nike", "nikon", "nintendo", "nokia", "norton"}
    | {"paypal", "pepsi", "playstation", "reddit", "ryanair", "samsung", "sony", "southwest", "spotify", "starbucks"}
    | {"steam", "target", "tesco", "tesla", "tiktok", "toyota", "twitter", "uber", "united", "verizon", "virgin"}
    | {"visa", "vodafone", "volkswagen", "walmart", "whatsapp", "xbox", "youtube", "zara"}
)
"""Brands, of which the reviews are full, and names of brands that are words: a name moves no sentiment."""

UNWEIGHED = GROUPS | BRANDS
