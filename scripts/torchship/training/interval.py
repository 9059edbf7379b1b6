"""The interval of a measured rate: apart from the metrics, as scipy.stats takes most of a second to import."""

from scipy.stats import binomtest


def binomial_interval(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's score interval of a rate: scipy.stats.binomtest, E. B. Wilson, JASA 22 (1927) 209."""
    interval = binomtest(successes, trials).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)
