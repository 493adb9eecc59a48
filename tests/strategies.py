"""Hypothesis strategies for answers."""

from hypothesis import strategies as st

from template_extension import is_hidden

# Characters with a meaning in TOML, YAML, Markdown, Python or Jinja are drawn more often.
SPECIAL = st.sampled_from(list("ab1_*`[]()<>!&#;~-+=|.:\\\"' \u200dé李/x$%{}"))

# Any text that can be encoded as UTF-8.
ANY = st.text(SPECIAL | st.characters(exclude_categories=["Cs"]), max_size=40)

# Any valid description.
ALLOWED = (
    st.text(SPECIAL | st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text and not any(map(is_hidden, text)))
)
