"""Numbers and names as people read them. Shares and metrics lie in 0 to 1; what is not finite shows as a dash."""

import math
import re
from collections.abc import Iterable

NOTHING = "\N{EN DASH}"
SPACE = "\N{NO-BREAK SPACE}"
# in the order in which metrics are shown
METRIC_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "average_precision": "average precision",
    "minority_average_precision": "average precision of the minority",
    "roc_auc": "area under the ROC curve",
    "log_loss": "log-loss",
    "calibration_error": "calibration error (ECE)",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "kid": "kernel distance (KID)",
    "c_t": "data copying (Z of C_T)",
    "fid": "Fréchet distance (FID)",
    "label_agreement": "label agreement",
    "held_out_agreement": "that of held-out rows",
}


def metric_name(metric: str) -> str:
    """Return a metric's name in the middle of a sentence."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def learnt_metric_name(metric: str) -> str:
    """Return the name of a metric of a classifier that was trained on synthetic samples alone, as a heading."""
    return f"{capitalised(metric_name(metric))} from synthetic alone"


def ordered(metrics: Iterable[str]) -> list[str]:
    """Return the distinct metrics in the order in which they are shown; unknown ones come last."""
    known = list(METRIC_NAMES)
    distinct = dict.fromkeys(metrics)
    return sorted(distinct, key=lambda metric: known.index(metric) if metric in known else len(known))


def capitalised(text: str) -> str:
    """Return the text with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def share(value: float, digits: int = 1) -> str:
    """Return a share as a percentage."""
    return f"{100 * value:.{digits}f}{SPACE}%" if math.isfinite(value) else NOTHING


def points(gain: float) -> str:
    """Return a gain as a number of percentage points in the middle of a sentence."""
    return f"{100 * gain:g} point{'' if 100 * gain == 1 else 's'}"


def metric_value(metric: str, value: float) -> str:
    """Return a metric's value without its unit: log-loss in nats, all others in percent."""
    if not math.isfinite(value):
        return NOTHING
    return f"{value:.3f}" if metric == "log_loss" else f"{100 * value:.1f}"


def gain(difference: float) -> str:
    """Return a difference of shares in signed percentage points, without the unit."""
    if not math.isfinite(difference):
        return NOTHING
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def interval(low: float, high: float) -> str:
    """Return the interval of a gain."""
    return f"{gain(low)} to {gain(high)}"


def probability(value: float) -> str:
    """Return a p-value."""
    if not math.isfinite(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def number(value: float) -> str:
    """Return a number with three significant digits."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
    return text.replace("-", "\N{MINUS SIGN}")


def count(value: int) -> str:
    """Return a count with thousands set apart."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    if seconds < 59.5:
        return f"{seconds:.1f}{SPACE}s" if seconds < 9.95 else f"{seconds:.0f}{SPACE}s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{int(seconds // 60)}{SPACE}min {int(seconds % 60)}{SPACE}s"
    return f"{minutes // 60}{SPACE}h {minutes % 60}{SPACE}min"


def memory(mebibytes: float) -> str:
    """Return an amount of memory."""
    return f"{mebibytes:,.0f}{SPACE}MiB" if mebibytes < 10_240 else f"{mebibytes / 1024:,.1f}{SPACE}GiB"


def listed(parts: list[str]) -> str:
    """Return the parts as an enumeration in prose."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def typeset(sentence: str) -> str:
    """Return a sentence with true minus signs, and units that stay on the line of their number."""
    return re.sub(r"(?<![\w.])-(?=\d)", "\N{MINUS SIGN}", sentence).replace(" %", f"{SPACE}%")


def plural(number_of: int, thing: str, things: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{count(number_of)} {thing if number_of == 1 else things or thing + 's'}"
