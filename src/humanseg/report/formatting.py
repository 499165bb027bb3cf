"""How numbers look in the report: the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from humanseg.results import Interval

UNKNOWN = "–"
"""Stands where a number is not defined."""

_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def score(value: float | None, decimals: int = 3) -> str:
    """A score from 0 to 1, as `0.872`."""
    return UNKNOWN if value is None else f"{value:.{decimals}f}".replace("-", _MINUS)


def percent(share: float | None, decimals: int = 1) -> str:
    """A share from 0 to 1, as `27.1 %`."""
    return UNKNOWN if share is None else f"{score(100 * share, decimals)}{_SPACE}%"


def bounded(value: Interval | None, show: Callable[[float], str] = score) -> str:
    """A number with its 95 % interval, as `0.873 [0.861, 0.884]`; without one the number alone."""
    if value is None:
        return UNKNOWN
    ends = bounds(value, show, ", ")
    return f"{show(value.estimate)} [{ends}]" if ends else show(value.estimate)


def bounds(value: Interval, show: Callable[[float], str], between: str = " to ") -> str:
    """A 95 % interval in a sentence, as `1.2 to 3.0`; empty without one."""
    if value.low is None or value.high is None:
        return ""
    return f"{show(value.low)}{between}{show(value.high)}"


def probability(value: float | None) -> str:
    """A p-value, as `0.012` or `< 0.001`."""
    if value is None:
        return UNKNOWN
    return f"<{_SPACE}0.001" if value < 0.001 else f"{value:.3f}"


def p_value(value: float) -> str:
    """A p-value in a sentence, as `p = 0.012` or `p < 0.001`."""
    return f"p = {probability(value)}".replace("= <", "<").replace(" ", _SPACE)


def points(difference: float, *, sign: bool = False) -> str:
    """A difference of scores in hundredths, as `2.3`; with `sign`, `+2.3` or `−2.3`."""
    text = f"{100 * difference:{'+' if sign else ''}.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", _MINUS)


def signed(difference: float) -> str:
    """A difference of scores in hundredths with its sign, as `+2.3`."""
    return points(difference, sign=True)


def gap(difference: float) -> str:
    """The size of a difference in words, as `2.3 points`."""
    size = abs(difference)
    if size < 0.0005:
        return f"less than 0.1{_SPACE}points"
    return f"{points(size)}{_SPACE}points"


def duration(seconds: float | None) -> str:
    """A time, as `0.42 s`, `42.3 s`, `2 min 58 s` or `1 h 05 min`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds:.2f}{_SPACE}s"
    if seconds < 59.95:
        return f"{seconds:.1f}{_SPACE}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}{_SPACE}min{_SPACE}{whole % 60:02d}{_SPACE}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}{_SPACE}h{_SPACE}{minutes % 60:02d}{_SPACE}min"


def large(count: float | None) -> str:
    """A large count with three digits, as `6.25 M` or `2.50 G`."""
    if count is None:
        return UNKNOWN
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        scaled = count / factor
        if scaled >= 0.9995:
            decimals = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:.{decimals}f}{_SPACE}{prefix}"
    return f"{count:.0f}"


def memory(count: float | None) -> str:
    """Bytes in binary units, as `512 MiB` or `2.4 GiB`."""
    if count is None:
        return UNKNOWN
    if count >= 2**30:
        return f"{count / 2**30:.1f}{_SPACE}GiB"
    return f"{count / 2**20:.0f}{_SPACE}MiB"


def milliseconds(seconds: float | None) -> str:
    """A short time, as `4.2 ms` or `38 ms`."""
    if seconds is None:
        return UNKNOWN
    value = 1000 * seconds
    return f"{value:.0f}{_SPACE}ms" if value >= 10 else f"{value:.1f}{_SPACE}ms"


def rate(value: float | None) -> str:
    """Pictures per second: three digits, as `4.87` or `312`."""
    if value is None:
        return UNKNOWN
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def counted(count: int, noun: str) -> str:
    """A count with its noun in the right number, as `1 seed` or `58 pictures`."""
    return f"{count:,}{_SPACE}{noun}{'' if count == 1 else 's'}"


def in_groups(count: int, groups: int) -> str:
    """To follow a count of pictures: of how many groups they are, where these are fewer."""
    return f" in {counted(groups, 'group')}" if groups < count else ""


def capitalised(text: str) -> str:
    """A text that begins with a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
