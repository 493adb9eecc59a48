"""Print figures as Markdown tables."""

from collections.abc import Sequence

from bench.aims import Aim
from bench.measurements import Figures


def print_table(title: str, figures: Figures, *, above_bare: bool = False) -> None:
    """Print figures and their ratios to the first contender.

    Args:
        above_bare: also print what the others add to the first, as a part of what the second adds.
    """
    first, *others = figures
    print_row(title, *figures, *(f"{name} / {first}" for name in others))
    print_row("---", *["---:"] * (len(figures) + len(others)))
    for name, base in figures[first].items():
        values = [measured[name] for measured in figures.values()]
        ratios = [f"{value / base:.2f}" for value in values[1:]]
        print_row(name, *map(number, values), *ratios)
        if above_bare:
            above = [value - base for value in values[1:]]
            parts = [f"{one / above[0]:.2f} of the {others[0]}" for one in above[1:]]
            print_row("… above bare", "", *map(number, above), "", *parts)
    print()


def print_added(
    title: str, figures: Figures, option: tuple[str, str], usual: tuple[str, str]
) -> None:
    """Print what an option adds to a request, beside its usual alternative."""
    print_row(f"{title}, added CPU µs", usual[0], option[0], f"{option[0]} / {usual[0]}")
    print_row("---", "---:", "---:", "---:")
    for name in figures["bare"]:
        theirs, ours = (figures[one][name] - figures[base][name] for one, base in (usual, option))
        print_row(name, number(theirs), number(ours), f"{ours / theirs:.2f}")
    print()


def print_hostile(figures: Figures) -> None:
    """Print the cost of redacting hostile texts of the maximum length."""
    print_row("hostile texts", *figures)
    print_row("---", *["---:"] * len(figures))
    for name in next(iter(figures.values())):
        print_row(name, *(number(measured[name]) for measured in figures.values()))
    print()


def print_aims(aims: Sequence[Aim]) -> None:
    """Print what was reached of each aim."""
    print_row("aim", "reached", "wanted")
    print_row("---", "---:", "---:")
    for aim in aims:
        print_row(aim.name, f"{aim.value:.2f}", aim.wanted)


def print_row(*cells: str) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def number(value: float) -> str:
    """Return a figure with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
