"""Names known from the official package, where its users look for them."""

from chatlib.official_paths import fill

fill(__name__)
