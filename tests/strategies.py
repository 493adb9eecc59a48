"""Texts that a machine thinks of."""

from hypothesis import strategies as st

from plinth_answers import is_hidden

# Characters that mean something to one of the languages come more often than by chance.
SPECIAL = st.sampled_from(list("ab1_*`[]()<>!&#;~-+=|.:\\\"' \u200dé李/x$%{}"))

# All that can be written to a file.
ANY = st.text(SPECIAL | st.characters(exclude_categories=["Cs"]), max_size=40)

# All that can be a description.
ALLOWED = (
    st.text(SPECIAL | st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text and not any(map(is_hidden, text)))
)
