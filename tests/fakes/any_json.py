"""JSON by chance, and requests by chance that are nearly good ones."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st


def any_json(
    words: Sequence[str] = (), keys: Sequence[str] = (), *, leaves: int = 12
) -> st.SearchStrategy[object]:
    """Any value; some of its texts are these words, some of its objects' keys these."""
    texts, names = st.text(max_size=8), st.text(max_size=4)
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.one_of(st.none(), st.booleans(), numbers, texts | st.sampled_from(words) if words else texts),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(names | st.sampled_from(keys) if keys else names, inner, max_size=4),
        ),
        max_leaves=leaves,
    )


def any_request(
    good: Mapping[str, object], names: Sequence[str], values: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    """Any value, any object of parameters with these names, and a good request in which one of them is odd."""
    return st.one_of(
        values,
        st.fixed_dictionaries({}, optional=dict.fromkeys(names, values)),
        st.builds(
            lambda streamed, name, value: {**good, **streamed, name: value},
            st.sampled_from([{}, {"stream": True}]),
            st.sampled_from(names),
            values,
        ),
    )
