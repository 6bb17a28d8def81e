"""What the workbench notebook shares with the other cold-store notebooks."""

import numpy as np
import pandas as pd


def simulate(days, seed, doors_open=()):
    """Readings every ten minutes; at each (day, hour) of `doors_open` a door stands open for two hours."""
    rng = np.random.default_rng(seed)
    time = pd.date_range("2026-07-01", periods=days * 144, freq="10min")
    hour = np.asarray(time.hour + time.minute / 60)
    temperature = 3.5 + 0.8 * np.sin((hour - 9) * np.pi / 12) + rng.normal(0, 0.25, len(time))
    for day, start in doors_open:
        since = (np.arange(len(time)) - (day * 144 + start * 6)) / 12
        temperature += np.where((since >= 0) & (since < 1), 6 * since, 0)
    readings = pd.DataFrame({"time": time, "temperature": temperature.round(2)})
    readings.loc[rng.choice(len(readings), 9, replace=False), "temperature"] = np.nan
    return readings


def describe(readings):
    """One line about a table of readings."""
    known = readings["temperature"].dropna()
    return f"{len(readings)} readings, {known.min():.1f} to {known.max():.1f} °C, {len(readings) - len(known)} missing"


def usual_by_hour(readings):
    """Median temperature by hour of the day."""
    return readings.groupby(readings["time"].dt.hour)["temperature"].median()
